"""Displacements after chosen times, of atoms by what they were at that time, and how long they stay it."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.transport import WindowSettings
from aiida_seireact.programs.analyses._groups import Groups
from aiida_seireact.programs.analyses._moving import Moving
from aiida_seireact.programs.analyses._protocol import Arrays, IntArray, LabelRow, Needs, Run
from aiida_seireact.programs.analyses.diffusion import interval_of
from aiida_seireact.science.analysis.templates import INSTALL_OVITO, template_matching
from aiida_seireact.science.transport.membership import stay
from aiida_seireact.science.transport.onsager import onsager_of_windows
from aiida_seireact.science.transport.units import CM2_PER_S
from aiida_seireact.science.transport.windows import IN_PLANE, OUT_OF_PLANE, Windows, windowed

FEWEST_LAGS = 3
"""Of a window, beyond its origin, as `weights.fitted_lags` takes at least."""
PLANES = {"xy": IN_PLANE, "z": OUT_OF_PLANE}


class WindowsObserver(Moving[WindowSettings]):
    """``windows_msd_ang2`` of each group and element in plane and out of it, coefficients, residence."""

    name = "windows"

    @classmethod
    def needs(cls, settings: WindowSettings) -> Needs:
        return Needs(paths=True, labels=settings.by in ("phase", "both") and settings.phase_from == "labels")

    def __init__(self, settings: WindowSettings, run: Run) -> None:
        super().__init__(settings, run)
        self._looks: IntArray | None = None
        if self._by_templates and importlib.util.find_spec("ovito") is None:
            raise MissingPackage(INSTALL_OVITO)

    @property
    def _by_templates(self) -> bool:
        return self.settings.phase_from == "ptm" and self.settings.by in ("phase", "both")

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        """Tell structures by templates where a window looks, once a frame and by the process that reads it."""
        if not self._by_templates:
            return
        if self._looks is None:
            try:
                origins, length, every = self._spans()
            except ValueError as error:
                raise InvalidInput(f"{self.name}: {error}") from error
            lags = np.arange(0, length + 1, every)
            self._looks = np.unique(origins[:, None] + lags)
        place = int(np.searchsorted(self.run.path_frames, number))
        if place == len(self.run.path_frames) or self.run.path_frames[place] != number or place not in self._looks:
            return
        found = template_matching(frame.positions, frame.cell, frame.pbc, rmsd_max=self.settings.rmsd_max)
        self.paths.put_structures(place, found)

    def _spans(self) -> tuple[IntArray, int, int]:
        """Return the kept frames that windows begin at, their length, and the frames between two lags.

        :raises ValueError: a window that is too short, or ends after the run.
        """
        settings = self.settings
        length = self.frames_of(settings.length_ps)
        every = max(1, -(-length // settings.n_lags))
        length -= length % every
        if length < FEWEST_LAGS * every:
            raise ValueError(
                f"a window of {settings.length_ps:g} ps holds {length // every} intervals of {self.interval_ps:g} ps "
                f"between kept frames, a slope needs {FEWEST_LAGS}: take a longer window, or keep more frames "
                "(trajectory.stride, paths.max_frames)"
            )
        return self.origins(settings.at_ps, length), length, every

    def work_out(self) -> tuple[Arrays, dict[str, Any]]:
        settings, paths = self.settings, self.paths
        symbols = self.symbols(settings.species)
        kinds, groups = self.kinds(symbols), Groups(settings, self.run)
        origins, length, every = self._spans()
        member = np.stack([groups.at(frame) for frame in origins.tolist()])
        seen = windowed(
            paths.blocks(kinds >= 0), origins=origins, length=length, groups=member, n_groups=len(groups.names),
            species=kinds, n_species=len(symbols), every=every, drift=paths.drift(),
        )  # fmt: skip
        followed = np.unique(seen.counts.sum(axis=(0, 2)).nonzero()[0])
        interval = every * self.interval_ps
        arrays: Arrays = {
            "windows_groups": np.array(groups.names),
            "windows_z_ang": groups.z_ang(),
            "windows_species": np.array(symbols),
            "windows_steps": self.run.steps[self.run.path_frames[origins]],
            "windows_lag_ps": np.arange(len(seen.lags)) * interval,
            "windows_counts": seen.counts,
            "windows_directions": np.array(list(PLANES)),
            "windows_msd_ang2": np.array(
                [
                    [[seen.msd(group, row, of) for of in PLANES.values()] for row in range(len(symbols))]
                    for group in range(len(groups.names))
                ]
            ),
            **self._coefficients(seen, len(groups.names), len(symbols), interval),
            **self._residence(groups, origins, length, every, kinds >= 0),
        }
        told: dict[str, Any] = {
            "n_windows": len(origins),
            "length_ps": length * self.interval_ps,
            "groups": [groups.names[group] for group in followed.tolist()],
            # What the numbers of a group mean hangs on it: how many are still there when the window ends.
            "stayed_at_end": {
                groups.names[group]: float(arrays["windows_survival"][group, -1]) for group in followed.tolist()
            },
        }
        if settings.temperature_k is not None:
            arrays.update(self._onsager(seen, groups, len(symbols), interval))
        return arrays, told

    def _coefficients(self, seen: Windows, n_groups: int, n_species: int, interval: float) -> Arrays:
        """Return D of each group, element and direction with its 95 % interval, NaN where nobody was."""
        numbers = np.full((n_groups, n_species, len(PLANES), 4), np.nan)
        words = np.full((n_groups, n_species, len(PLANES)), "", dtype="U16")
        fit = (self.settings.first_lag, self.settings.last_lag)
        for group, row, column in np.ndindex(*words.shape):
            found = seen.diffusion(group, row, interval, directions=tuple(PLANES.values())[column], fit=fit)
            if found is not None:
                error = np.nan if found.d.error is None else found.d.error * CM2_PER_S
                numbers[group, row, column] = [found.d.value * CM2_PER_S, error, *interval_of(found)]
                words[group, row, column] = found.regime
        names = ("cm2_per_s", "error_cm2_per_s", "low_cm2_per_s", "high_cm2_per_s")
        return {
            **{f"windows_diffusion_{name}": numbers[..., place] for place, name in enumerate(names)},
            "windows_regime": words,
        }

    def _residence(self, groups: Groups, origins: IntArray, length: int, every: int, chosen: Any) -> Arrays:
        """Return the shares of a window's members that stay, and that are there (again), at each lag."""
        n_lags = length // every + 1
        sums = np.zeros((2, len(groups.names), n_lags))
        members = np.zeros((len(groups.names), n_lags))
        for begin in origins.tolist():
            frames = [begin + lag * every for lag in range(n_lags)]
            known = [place for place, frame in enumerate(frames) if groups.known(frame)]
            found = stay((np.where(chosen, groups.at(frames[place]), -1) for place in known), len(groups.names))
            sums[:, :, known] += np.stack(found)
            members[:, known] += found[0][:, :1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return {"windows_survival": sums[0] / members, "windows_returning": sums[1] / members}

    def _onsager(self, seen: Windows, groups: Groups, n_species: int, interval: float) -> Arrays:
        """Return L of each group; times its volume where the group is a phase, which has none of its own."""
        assert self.settings.temperature_k is not None
        volume = groups.volume()
        n_groups = len(groups.names)
        found = np.full((2, n_groups, n_species, n_species), np.nan)
        members = np.zeros(n_groups)
        windows = np.zeros(n_groups, dtype=np.int64)
        for group in range(n_groups):
            of = onsager_of_windows(
                seen, group, interval, volume_ang3=volume, temperature_k=self.settings.temperature_k,
                fit=(self.settings.first_lag, self.settings.last_lag),
            )  # fmt: skip
            if of is not None:
                found[:, group] = of.coefficients.matrix, of.coefficients.error
                members[group], windows[group] = of.members, of.n_windows
        unit = "per_ev_ang_ps" if volume else "ang2_per_ev_ps"
        name = "windows_onsager" if volume else "windows_onsager_volume"
        return {
            f"{name}_{unit}": found[0],
            f"{name}_error_{unit}": found[1],
            "windows_onsager_members": members,
            "windows_onsager_n_windows": windows,
        }
