"""Li-metal/solid-electrolyte reaction studies on AiiDA: label, learn, explore, produce, recognise."""

__version__ = "0.1.0"
