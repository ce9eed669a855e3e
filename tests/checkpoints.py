"""Checkpoints as lightning lays them out, without lightning."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np

from aiida_seireact.formats.checkpoint import write_checkpoint


def lightning_checkpoint(path: Path, epoch: int, weights: bytes = b"weights", where: str = "/scratch/1") -> Path:
    """Write a file laid out as torch's: a pickled dict beside the bytes of its tensors."""
    with zipfile.ZipFile(path, "w") as archive:
        content = {"epoch": epoch, "global_step": 7, "hyper_parameters": {"dirpath": where}}
        archive.writestr(f"{path.stem}/data.pkl", pickle.dumps(content, protocol=2))
        archive.writestr(f"{path.stem}/data/0", weights)
        archive.writestr(f"{path.stem}/.data/serialization_id", where)
    return path


def curve(*totals: float) -> dict[str, np.ndarray]:
    """A curve with these validation errors."""
    return {
        "epoch": np.arange(len(totals), dtype=float),
        "val_total": np.array(totals),
        "lr": np.full(len(totals), np.nan),
    }


def checkpoint_file(folder: Path, *totals: float) -> Path:
    """Write a ``checkpoint.zip`` of a training with these validation errors by epoch."""
    ckpt = lightning_checkpoint(folder / "any.ckpt", len(totals) - 1)
    write_checkpoint(folder / "checkpoint.zip", ckpt, ckpt, curve(*totals), {})
    return folder / "checkpoint.zip"
