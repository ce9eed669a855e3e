"""Packages that only some of us need, and the sentence said where one of them is missing."""

from __future__ import annotations


class MissingPackageError(ImportError):
    """A package of an extra is not installed; the message names the command that installs it."""

    @classmethod
    def of(cls, error: ImportError, purpose: str, command: str) -> MissingPackageError:
        """Return the error to raise where ``error`` was caught, e.g. of ``"density peaks"``."""
        return cls(f"{error.name or error} is needed for {purpose}: {command}")


CLASSIFY = "pip install 'aiida-seireact[classify]'"
