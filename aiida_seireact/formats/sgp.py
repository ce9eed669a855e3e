"""File of a sparse Gaussian process (``sgp.npz``): settings as JSON, arrays as they are, no pickles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.science.sparse_gp import SparseGP

FORMAT = "seireact sparse gp /1"
PER_SPECIES = ("descriptors", "alpha", "inverse_cholesky")


class SgpError(ValueError):
    """A file that holds no whole Gaussian process; the message says which and why."""


def save_gp(path: str | Path, gp: SparseGP) -> None:
    """Write a process atomically; the same process gives the same bytes.

    :raises OSError: the disk is full or the folder is not writable.
    """
    header = {
        **gp.settings,
        "format": FORMAT,
        "frame_ids": gp.frame_ids,
        "sparse_atoms": gp.sparse_atoms,
        "settings_hash": gp.settings_hash,
        "content_hash": gp.content_hash,
    }
    arrays: dict[str, NDArray[Any]] = {
        "header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8),
        "energies_ev": gp.energies_ev,
    }
    for name in PER_SPECIES:
        arrays |= {f"{name}_{symbol}": part for symbol, part in zip(gp.species, getattr(gp, name), strict=True)}
    # Not compressed: random digits hardly shrink, and each leg of a run writes and reads them.
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def load_gp(path: str | Path) -> SparseGP:
    """Read what :func:`save_gp` wrote.

    :raises SgpError: missing, truncated, changed or foreign file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise SgpError(f"There is no file {path} of a Gaussian process.") from None
    except Exception as error:  # zipfile, numpy and zlib each have their own
        raise SgpError(f"{path} is not a whole file of a Gaussian process ({error}): write it again.") from error
    try:
        header = json.loads(arrays["header"].tobytes())
        if header["format"] != FORMAT:
            raise SgpError(f"{path} has the format '{header['format']}', not '{FORMAT}': train the process again.")
        gp = SparseGP(
            species=tuple(header["species"]),
            cutoff_ang=header["cutoff_ang"],
            n_max=header["n_max"],
            l_max=header["l_max"],
            power=header["power"],
            sigma=header["sigma"],
            noises=tuple(header["noises"]),
            jitter=header["jitter"],
            energies_ev=arrays["energies_ev"],
            **{name: tuple(arrays[f"{name}_{symbol}"] for symbol in header["species"]) for name in PER_SPECIES},
            frame_ids=tuple(header["frame_ids"]),
            sparse_atoms=tuple(tuple(atoms) for atoms in header["sparse_atoms"]),
            settings_hash=header["settings_hash"],
        )
    except SgpError:
        raise
    except Exception as error:  # a foreign archive may lack or misname anything
        raise SgpError(f"{path} is not a file of a Gaussian process ({type(error).__name__}: {error}).") from error
    if gp.content_hash != header["content_hash"]:
        raise SgpError(f"{path} was changed after it was written: its arrays do not give its hash. Write it again.")
    return gp
