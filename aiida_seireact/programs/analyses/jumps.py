"""Atoms that go far within a time: which, when, from where to where."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_seireact.formats.jobs.transport import JumpSettings
from aiida_seireact.programs.analyses._moving import Moving
from aiida_seireact.programs.analyses._protocol import Arrays, Needs
from aiida_seireact.science.transport.jumps import far_movers


class JumpsObserver(Moving[JumpSettings]):
    """``jumps_ids``, ``jumps_steps``, ``jumps_from_ang``, ``jumps_moved_ang``."""

    name = "jumps"

    @classmethod
    def needs(cls, settings: JumpSettings) -> Needs:
        return Needs(paths=True)

    def work_out(self) -> tuple[Arrays, dict[str, Any]]:
        settings, paths, first = self.settings, self.paths, self.run.first
        symbols = self.symbols(settings.species)
        length = self.frames_of(settings.within_ps)
        origins = self.origins(settings.at_ps, length)
        chosen = self.kinds(symbols) >= 0
        found = far_movers(
            paths.blocks(chosen),
            origins=origins,
            length=length,
            longer_than_ang=settings.longer_than_ang,
            drift=paths.drift(),
        )
        # Into the cell of the frame it was in.
        cells, corners = (of[found.origins] for of in paths.cells())
        where = paths.placed(paths.start()[found.atoms] + found.begun_ang, found.origins)
        fraction = np.einsum("nd,ndk->nk", where - corners, np.linalg.inv(cells)) % 1.0
        wrapped = np.einsum("nk,nkd->nd", fraction, cells) + corners
        steps = self.run.steps[self.run.path_frames]
        arrays: Arrays = {
            "jumps_ids": first.ids[found.atoms],
            "jumps_numbers": first.numbers[found.atoms],
            "jumps_steps": steps[found.origins],
            "jumps_from_ang": wrapped,
            "jumps_z_fraction": fraction[:, 2],
            "jumps_moved_ang": found.moved_ang,
        }
        return arrays, {
            "n_jumps": len(found.atoms),
            "n_atoms_that_jumped": len(np.unique(found.atoms)),
            "n_atoms": int(chosen.sum()),
            "n_windows": len(origins),
            "share": len(found.atoms) / found.n_watched,
            "within_ps": length * self.interval_ps,
            "longer_than_ang": settings.longer_than_ang,
        }
