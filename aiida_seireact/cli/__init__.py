"""The command ``aiida-seireact``: thin, it only calls the floors below."""
