"""ONE reader and writer a file format, shared by every floor above."""
