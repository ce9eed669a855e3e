"""Files of plain arrays (``.npz``): whole or absent, no pickles, and refused with a sentence when they are foreign."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aiida_seireact.formats.atomic import write_atomically


class PhasesError(ValueError):
    """A file that is not what it should be; the message says which and why."""


def save_arrays(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays under their names, compressed, atomically."""
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def load_arrays(path: str | Path, kind: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """Read the arrays ``names``, or all.

    :param kind: what the file should be, for messages.
    :raises PhasesError: missing, truncated or foreign file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            require_arrays(archive.files, path, kind, names)
            return {name: archive[name] for name in names or archive.files}
    except FileNotFoundError:
        raise PhasesError(f"There is no {kind} file {path}.") from None
    except PhasesError:
        raise
    except Exception as error:  # zipfile, numpy and zlib each have their own
        raise PhasesError(f"{path} is not a whole {kind} file ({error}): write it again.") from error


def require_arrays(held: Collection[str], path: str | Path, kind: str, names: Sequence[str]) -> None:
    """Refuse a file that lacks arrays.

    :raises PhasesError: naming them.
    """
    missing = [name for name in names if name not in held]
    if missing:
        raise PhasesError(f"{path} is not a {kind} file: it lacks {', '.join(missing)}.")
