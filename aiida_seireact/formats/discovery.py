"""Curves of what was found about unknown clusters (``discovery.npz``); the words are in ``discovery.json``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically


class DiscoveryError(ValueError):
    """A file that is not what it should be; the message says which and why."""


@dataclass(frozen=True, eq=False)
class DiscoveryCurves:
    """Curves by group and by region; rows follow ``groups`` and ``regions`` of ``discovery.json``.

    :param steps: ``(n_frames,)`` MD steps of the whole run.
    :param in_time: ``(n_groups, n_frames)`` environments in each frame.
    :param n_centres: ``(n_frames,)`` environments of all groups.
    :param z_edges_ang: ``(n_slabs + 1,)``; :param along_z: ``(n_groups, n_slabs)`` environments, mean of the late
        frames looked at; :param all_along_z: ``(n_slabs,)`` of all groups.
    :param elements: ``(n_elements,)`` symbols.
    :param r_ang: ``(n_r,)``; :param rdf: ``(n_groups, n_elements, n_r)`` g(r) of each element about the centres.
    :param two_theta_deg: ``(n_theta,)``; :param xrd: ``(n_groups, n_theta)`` highest point 1; NaN where there is none.
    :param xrd_nearest: ``(n_groups, n_theta)`` of the crystal nearest by diffraction, stretched; highest point 1.
    :param region_xrd: ``(n_regions, n_theta)``; :param region_xrd_nearest: ``(n_regions, n_theta)``
    """

    steps: NDArray[np.int64]
    in_time: NDArray[np.int64]
    n_centres: NDArray[np.int64]
    z_edges_ang: NDArray[np.float64]
    along_z: NDArray[np.float64]
    all_along_z: NDArray[np.float64]
    elements: NDArray[np.str_]
    r_ang: NDArray[np.float64]
    rdf: NDArray[np.float64]
    two_theta_deg: NDArray[np.float64]
    xrd: NDArray[np.float64]
    xrd_nearest: NDArray[np.float64]
    region_xrd: NDArray[np.float64]
    region_xrd_nearest: NDArray[np.float64]

    def save(self, path: str | Path) -> None:
        """Write all arrays under their names, atomically."""
        arrays: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        with write_atomically(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> DiscoveryCurves:
        """Read what :meth:`save` wrote.

        :raises DiscoveryError: missing, truncated or foreign file.
        """
        names = [item.name for item in fields(cls)]
        try:
            with np.load(path, allow_pickle=False) as archive:
                missing = [name for name in names if name not in archive.files]
                arrays = {name: archive[name] for name in names if name not in missing}
        except FileNotFoundError:
            raise DiscoveryError(f"There is no discovery file {path}.") from None
        except Exception as error:  # zipfile, numpy and zlib each have their own
            raise DiscoveryError(f"{path} is not a whole discovery file ({error}): classify again.") from error
        if missing:
            raise DiscoveryError(f"{path} is not a discovery file: it lacks {', '.join(missing)}.")
        return cls(**arrays)
