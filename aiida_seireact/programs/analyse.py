"""``seireact-analyse``: what happened along a run, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.dump import DumpError, Snapshot
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.jobs.analyse import AnalyseJob, MsdSettings, RdfSettings, ThicknessSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.phases import Labels, PhasesError
from aiida_seireact.programs._program import program
from aiida_seireact.science import analysis
from aiida_seireact.science.health import largest_hole_radius, smallest_distance

Arrays = dict[str, NDArray[Any]]
Progress = Callable[[str], None]
EXAMPLE = """
{"trajectory": {"files": ["production.dump.gz"]}, "timestep_fs": 2.0, "labels": "labels.npz",
 "rdf": {"pairs": [["Li", "S"], ["P", "S"]]}, "msd": {"species": ["Li"]}}
"""


def run(job: AnalyseJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Follow intact PS4, volume, smallest distance, largest hole and thickness along a run; RDF and MSD.

    Writes analysis.npz. One frame is held at a time, but for the displacements, which are decimated to a bound.
    """
    try:
        stream = FrameStream(
            [folder / name for name in job.trajectory.files],
            skip_first=job.trajectory.skip_first,
            stride=job.trajectory.stride,
            stop_before_truncated=job.trajectory.stop_before_truncated,
        )
        labels = None if job.labels is None else Labels.load(folder / job.labels)
        arrays, outputs = _follow(job, stream, progress)
        if labels is not None:
            profile = _profile_thickness(labels, job.thickness)
            arrays.update(profile)
            outputs["profile_thickness_start_ang"] = float(profile["thickness_profile_ang"][0])
            outputs["profile_thickness_end_ang"] = float(profile["thickness_profile_ang"][-1])
    except (DumpError, FramesError, PhasesError) as error:
        raise InvalidInput(str(error)) from error
    with write_atomically(folder / files.ANALYSIS) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return {"files": {"analysis": files.ANALYSIS}, **outputs}


def _follow(job: AnalyseJob, stream: FrameStream, progress: Progress) -> tuple[Arrays, dict[str, Any]]:
    n_frames, steps = len(stream), np.array(stream.steps, dtype=np.int64)
    series = _Series(job)
    rdf = None if job.rdf is None else _Rdf(job.rdf, n_frames)
    msd: _Paths | None = None
    first: Snapshot | None = None
    for number, frame in enumerate(stream):
        if first is None:
            first = frame
            if job.msd is not None:
                msd = _Paths(job.msd, frame, steps)
        elif not (np.array_equal(first.ids, frame.ids) and np.array_equal(first.numbers, frame.numbers)):
            raise InvalidInput(
                f"trajectory, step {frame.step}: the atoms are not those of the first frame; analyse runs of other "
                "cells apart."
            )
        series.add(number, frame)
        if rdf is not None:
            rdf.add(number, frame)
        if msd is not None:
            msd.add(number, frame)
        progress(f"frame {number + 1} of {n_frames}, step {frame.step}, {series.ps4[-1]} intact PS4")
    assert first is not None  # a stream has at least one frame
    arrays: Arrays = {"steps": steps, **series.arrays()}
    outputs: dict[str, Any] = {
        "n_frames": n_frames,
        "n_atoms": len(first.numbers),
        "first_step": int(steps[0]),
        "last_step": int(steps[-1]),
        **series.summary(steps, first),
    }
    if job.timestep_fs is not None:
        arrays["times_ps"] = steps * job.timestep_fs * 1e-3
    if rdf is not None:
        arrays.update(rdf.arrays())
        outputs["rdf_frames"] = rdf.n_averaged
    if msd is not None:
        found = msd.arrays(job.timestep_fs)
        arrays.update(found)
        outputs["msd"] = {
            "stride_frames": msd.stride,
            "n_frames": len(msd.kept),
            # Beyond half of the run too few origins are left to mean anything.
            "lag_steps": int(found["msd_lag_steps"][len(msd.kept) // 2]),
            "ang2_at_lag": {
                symbol: float(found["msd_ang2"][row, len(msd.kept) // 2].sum())
                for row, symbol in enumerate(msd.species)
            },
        }
    return arrays, outputs


@dataclass
class _Series:
    """Quantities of each frame."""

    job: AnalyseJob
    ps4: list[int] = field(default_factory=list)
    volume: list[float] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)
    pair: list[tuple[int, int]] = field(default_factory=list)
    hole: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)

    def add(self, number: int, frame: Snapshot) -> None:
        if not frame.pbc.all() or abs(np.linalg.det(frame.cell)) < 1e-3:
            raise InvalidInput(
                f"trajectory, step {frame.step}: the cell is not periodic in all directions, which volume, holes and "
                "distributions need."
            )
        where = (frame.positions, frame.numbers, frame.cell, frame.pbc)
        settings = self.job.thickness
        self.ps4.append(int(analysis.intact_ps4(*where, cutoff_ang=settings.ps4_cutoff_ang).sum()))
        self.volume.append(abs(float(np.linalg.det(frame.cell))))
        distance, (i, j) = smallest_distance(frame.positions, frame.cell, frame.pbc)
        self.distance.append(float(distance))
        self.pair.append((int(frame.ids[i]), int(frame.ids[j])))
        searched = number % self.job.hole_every == 0
        self.hole.append(float(largest_hole_radius(frame.positions, frame.cell, frame.pbc)) if searched else np.nan)
        thickness = analysis.thickness_to_outermost(
            *where, cutoff_ang=settings.ps4_cutoff_ang, min_metal_ang=settings.min_metal_ang
        )
        self.lower.append(np.nan if thickness is None else thickness.lower_ang)
        self.upper.append(np.nan if thickness is None else thickness.upper_ang)

    def arrays(self) -> Arrays:
        return {
            "n_intact_ps4": np.array(self.ps4, dtype=np.int64),
            "volume_ang3": np.array(self.volume),
            "smallest_distance_ang": np.array(self.distance),
            "smallest_distance_ids": np.array(self.pair, dtype=np.int64),
            "largest_hole_ang": np.array(self.hole),
            "thickness_lower_ang": np.array(self.lower),
            "thickness_upper_ang": np.array(self.upper),
        }

    def summary(self, steps: NDArray[np.int64], first: Snapshot) -> dict[str, Any]:
        hole, distance = np.array(self.hole), np.array(self.distance)
        defined = np.flatnonzero(np.isfinite(self.lower))
        widest, closest = int(np.nanargmax(hole)), int(np.argmin(distance))
        last = int(defined[-1]) if len(defined) else None
        return {
            "n_p": int((first.numbers == analysis.PHOSPHORUS).sum()),
            "ps4_intact_start": self.ps4[0],
            "ps4_intact_end": self.ps4[-1],
            "volume_ang3_per_atom_start": self.volume[0] / len(first.numbers),
            "volume_ang3_per_atom_end": self.volume[-1] / len(first.numbers),
            "smallest_distance_ang": float(distance[closest]),
            "smallest_distance_step": int(steps[closest]),
            "largest_hole_ang": float(hole[widest]),
            "largest_hole_step": int(steps[widest]),
            "outermost_thickness": None
            if last is None
            else {
                "last_defined_step": int(steps[last]),
                "lower_ang": float(self.lower[last]),
                "upper_ang": float(self.upper[last]),
            },
        }


class _Rdf:
    """Sums distribution functions over the last part of the run."""

    def __init__(self, settings: RdfSettings, n_frames: int) -> None:
        self.settings = settings
        self.start = n_frames - max(1, round(settings.last_fraction * n_frames))
        self.n_averaged = n_frames - self.start
        self.pairs: list[tuple[str, str]] = []
        self.total = np.zeros(0)
        self.r = np.zeros(0)

    def add(self, number: int, frame: Snapshot) -> None:
        if number == 0:
            present = [chemical_symbols[number] for number in np.unique(frame.numbers)]
            self.pairs = list(self.settings.pairs or combinations_with_replacement(present, 2))
            self.total = np.zeros((len(self.pairs), self.settings.n_bins))
        if number < self.start:
            return
        for row, (first, second) in enumerate(self.pairs):
            try:
                self.r, g = analysis.partial_rdf(
                    frame.positions,
                    frame.numbers,
                    frame.cell,
                    frame.pbc,
                    (atomic_numbers[first], atomic_numbers[second]),
                    r_max_ang=self.settings.r_max_ang,
                    n_bins=self.settings.n_bins,
                )
            except ValueError as error:
                raise InvalidInput(f"rdf of {first}-{second}: {error}") from error
            self.total[row] += g

    def arrays(self) -> Arrays:
        return {
            "rdf_pairs": np.array(["-".join(pair) for pair in self.pairs]),
            "rdf_r_ang": self.r,
            "rdf_g": self.total / self.n_averaged,
        }


class _Paths:
    """Keeps unwrapped positions of evenly decimated frames within a bound of memory."""

    def __init__(self, settings: MsdSettings, first: Snapshot, steps: NDArray[np.int64]) -> None:
        intervals = np.diff(steps)
        if len(intervals) and (intervals != intervals[0]).any():
            raise InvalidInput(
                f"msd: the frames are not evenly spaced (from step {steps[int(np.argmax(intervals != intervals[0]))]}"
                " on): choose skip_first and stride so that they are, or set msd to null."
            )
        present = [chemical_symbols[number] for number in np.unique(first.numbers)]
        self.species = list(settings.species or present)
        missing = [symbol for symbol in self.species if symbol not in present]
        if missing:
            raise InvalidInput(f"msd: the trajectory holds no {missing[0]}, only {', '.join(present)}.")
        most = max(2, min(settings.max_frames, int(settings.max_memory_gb * 1e9 / (12 * len(first.numbers)))))
        self.stride = -(-len(steps) // most)
        self.settings, self.numbers = settings, first.numbers
        self.start = first.positions
        self.interval = int(intervals[0]) * self.stride if len(intervals) else 0
        self.kept: list[NDArray[np.float32]] = []

    def add(self, number: int, frame: Snapshot) -> None:
        if not frame.unwrapped:
            raise InvalidInput(
                f"msd: the positions of step {frame.step} are wrapped into the cell: dump xu yu zu (or ix iy iz beside "
                "x y z), or set msd to null."
            )
        if number % self.stride == 0:
            # Displacements are small numbers, so that float32 keeps them to 1e-6 Å.
            self.kept.append((frame.positions - self.start).astype(np.float32))

    def arrays(self, timestep_fs: float | None) -> Arrays:
        paths = np.stack(self.kept)
        drift = None
        if self.settings.remove_drift:
            drift = analysis.centre_of_mass_path(paths, atomic_masses[self.numbers])
        found = [
            analysis.mean_squared_displacement(paths[:, self.numbers == atomic_numbers[symbol]], drift=drift)
            for symbol in self.species
        ]
        lags = np.arange(len(paths), dtype=np.int64) * self.interval
        arrays: Arrays = {
            "msd_species": np.array(self.species),
            "msd_lag_steps": lags,
            "msd_ang2": np.stack(found),
        }
        if timestep_fs is not None:
            arrays["msd_lag_ps"] = lags * timestep_fs * 1e-3
        return arrays


def _profile_thickness(labels: Labels, settings: ThicknessSettings) -> Arrays:
    names = labels.label_names.tolist()
    for key in ("metal", "electrolyte"):
        if getattr(settings, key) not in names:
            raise InvalidInput(
                f"thickness.{key} is {getattr(settings, key)!r}, but the labels are {', '.join(names)}: "
                "give the name that the classification used."
            )
    found = []
    for number, height in enumerate(labels.heights_ang.tolist()):
        n_bins = max(1, round(height / settings.bin_width_ang))
        profile = analysis.profile_along_z(labels.z_fraction[number], labels.labels[number], len(names), n_bins)
        found.append(
            analysis.thickness_of_profile(
                profile,
                height,
                metal=names.index(settings.metal),
                electrolyte=names.index(settings.electrolyte),
                threshold=settings.profile_threshold,
            )
        )
    return {"thickness_profile_steps": labels.steps, "thickness_profile_ang": np.array(found)}


main = program("seireact-analyse", AnalyseJob, run, packages=("ase", "numpy", "scipy"), example=EXAMPLE)
