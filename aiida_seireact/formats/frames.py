"""Frames in columns: the one reader and writer of structures and labels.

A *shard* of frames is a set of flat arrays, so that thousands of frames of unequal size cost milliseconds. Identity
is content only: no path, date or UUID enters a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically

STRUCTURE_COLUMNS = ("positions", "numbers", "offsets", "cells", "pbc")
ORIGIN_COLUMNS = ("config_type", "group", "parent_id", "md_step")
LABEL_COLUMNS = ("energy", "forces", "stress", "energy_e0")


class FramesError(ValueError):
    """Frames that must not be used; the message says which frame, what is wrong and what to do."""


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _canonical(array: NDArray[Any], dtype: str) -> bytes:
    # Adding zero turns -0.0 into 0.0: they are equal, so they must hash alike.
    return bytes((np.ascontiguousarray(array, dtype=dtype) + np.zeros(1, dtype=dtype)).tobytes())


@dataclass(frozen=True, eq=False)
class Frames:
    """An immutable shard of frames. Units eV, Å, eV/Å³; stress sign and Voigt order (xx yy zz yz xz xy) as ASE.

    :param positions: ``(n_atoms_total, 3)``
    :param numbers: ``(n_atoms_total,)`` atomic numbers
    :param offsets: ``(n_frames + 1,)``; frame ``i`` owns rows ``offsets[i]:offsets[i + 1]``
    :param cells: ``(n_frames, 3, 3)``, rows are lattice vectors
    :param pbc: ``(n_frames, 3)``
    :param config_type: ``(n_frames,)`` what kind of frame, for errors told by type
    :param group: ``(n_frames,)`` a trajectory or an independent draw; never split between training and test
    :param parent_id: ``(n_frames,)`` frame id of the frame it came from, or an empty string
    :param md_step: ``(n_frames,)`` step in that parent's run, -1 for none
    :param energy: ``(n_frames,)`` the energy the forces belong to
    :param forces: ``(n_atoms_total, 3)``
    :param stress: ``(n_frames, 6)``; None with labels of an engine that gives none
    :param energy_e0: ``(n_frames,)`` the energy extrapolated to zero smearing, where the engine gives it
    :param settings_hash: hash of the labelling settings, empty for unlabelled frames
    """

    positions: NDArray[np.float64]
    numbers: NDArray[np.int64]
    offsets: NDArray[np.int64]
    cells: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    config_type: NDArray[np.str_]
    group: NDArray[np.str_]
    parent_id: NDArray[np.str_]
    md_step: NDArray[np.int64]
    energy: NDArray[np.float64] | None = None
    forces: NDArray[np.float64] | None = None
    stress: NDArray[np.float64] | None = None
    energy_e0: NDArray[np.float64] | None = None
    settings_hash: str = field(default="")

    def __post_init__(self) -> None:
        n_frames, n_atoms = len(self.offsets) - 1, len(self.numbers)
        shapes = {
            "positions": (n_atoms, 3),
            "offsets": (n_frames + 1,),
            "cells": (n_frames, 3, 3),
            "pbc": (n_frames, 3),
            **dict.fromkeys(ORIGIN_COLUMNS, (n_frames,)),
            "energy": (n_frames,),
            "forces": (n_atoms, 3),
            "stress": (n_frames, 6),
            "energy_e0": (n_frames,),
        }
        for name, shape in shapes.items():
            column = getattr(self, name)
            if column is not None and column.shape != shape:
                raise FramesError(f"Column {name!r} has shape {column.shape}, expected {shape}.")
        if n_frames < 0 or (n_frames >= 0 and (self.offsets[0] != 0 or self.offsets[-1] != n_atoms)):
            raise FramesError(f"The offsets do not cover the {n_atoms} atoms.")
        if np.any(np.diff(self.offsets) <= 0):
            raise FramesError(f"Frame {int(np.argmin(np.diff(self.offsets)))} has no atoms.")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    # ---------------------------------------------------------------- construction
    @classmethod
    def from_atoms(
        cls,
        images: Iterable[Atoms],
        *,
        labels: Literal["auto", "required", "ignore"] = "auto",
        settings_hash: str = "",
    ) -> Frames:
        """Collect ASE images. ``atoms.info`` may hold config_type, group, parent_id and md_step.

        :param labels: take energy, forces and, where there is one, stress of attached calculators: from all images if
            every one has them (``auto``), always and with a stress (``required``), or never (``ignore``).
        :raises FramesError: no image, or labels, or a stress, that only some images have.
        """
        images = list(images)
        if not images:
            raise FramesError("No frame was given; a shard holds at least one.")
        results = [_results_of(atoms) for atoms in images]
        missing = [index for index, result in enumerate(results) if result is None]
        stressless = [index for index, result in enumerate(results) if result is not None and "stress" not in result]
        if labels == "required":
            missing = sorted({*missing, *stressless})
        if labels == "required" and missing:
            raise FramesError(f"Frame {missing[0]} has no energy, forces and stress: label it, all three are needed.")
        if labels == "auto" and missing and len(missing) < len(images):
            raise FramesError(f"Frame {missing[0]} has no label while others have one: label all or none.")
        found = [] if labels == "ignore" or missing else [result for result in results if result is not None]
        if found and stressless and len(stressless) < len(found):
            raise FramesError(
                f"Frame {stressless[0]} has no stress while others have one: label it again, or leave all without."
            )
        extrapolated = [result["energy_e0"] for result in found if "energy_e0" in result]

        return cls(
            positions=np.concatenate([np.asarray(atoms.positions, dtype=np.float64) for atoms in images]),
            numbers=np.concatenate([np.asarray(atoms.numbers, dtype=np.int64) for atoms in images]),
            offsets=np.concatenate([[0], np.cumsum([len(atoms) for atoms in images])]).astype(np.int64),
            cells=np.array([np.asarray(atoms.cell.array, dtype=np.float64) for atoms in images]),
            pbc=np.array([np.asarray(atoms.pbc, dtype=bool) for atoms in images]),
            config_type=np.array([str(atoms.info.get("config_type", "")) for atoms in images]),
            group=np.array([str(atoms.info.get("group", "")) for atoms in images]),
            parent_id=np.array([str(atoms.info.get("parent_id", "")) for atoms in images]),
            md_step=np.array([int(atoms.info.get("md_step", -1)) for atoms in images], dtype=np.int64),
            energy=np.array([result["energy"] for result in found]) if found else None,
            forces=np.concatenate([result["forces"] for result in found]) if found else None,
            stress=np.array([result["stress"] for result in found]) if found and not stressless else None,
            energy_e0=np.array(extrapolated) if found and len(extrapolated) == len(found) else None,
            settings_hash=settings_hash if found else "",
        )

    @classmethod
    def concatenate(cls, shards: Sequence[Frames]) -> Frames:
        """Join shards in the order given.

        :raises FramesError: no shard, or shards of unlike labels (labelled beside unlabelled, or two settings).
        """
        settings_hash = one_level(shards)
        columns: dict[str, Any] = {}
        for name in (*STRUCTURE_COLUMNS, *ORIGIN_COLUMNS, *LABEL_COLUMNS):
            parts = [getattr(shard, name) for shard in shards]
            if name != "offsets":
                columns[name] = None if any(part is None for part in parts) else np.concatenate(parts)
        sizes = np.concatenate([np.diff(shard.offsets) for shard in shards])
        columns["offsets"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(**columns, settings_hash=settings_hash)

    def select(self, indices: Sequence[int] | NDArray[np.int64]) -> Frames:
        """Return the frames ``indices`` in that order.

        :raises FramesError: nothing is selected.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        if not len(chosen):
            raise FramesError("The selection is empty; a shard holds at least one frame.")
        rows = np.concatenate([np.arange(self.offsets[index], self.offsets[index + 1]) for index in chosen])
        columns: dict[str, Any] = {}
        for name in (*STRUCTURE_COLUMNS, *ORIGIN_COLUMNS, *LABEL_COLUMNS):
            column = getattr(self, name)
            if name != "offsets" and column is not None:
                columns[name] = column[rows if name in ("positions", "numbers", "forces") else chosen]
        sizes = np.diff(self.offsets)[chosen]
        columns["offsets"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return replace(self, **columns)

    def without_labels(self) -> Frames:
        """Return the bare structures."""
        return replace(self, energy=None, forces=None, stress=None, energy_e0=None, settings_hash="")

    # ---------------------------------------------------------------- identity
    @property
    def is_labelled(self) -> bool:
        """Whether every frame has energy and forces."""
        return self.energy is not None and self.forces is not None

    @property
    def has_stress(self) -> bool:
        """Whether every frame has energy, forces and stress."""
        return self.is_labelled and self.stress is not None

    @cached_property
    def structure_ids(self) -> list[str]:
        """sha256 of numbers, cell, periodicity and positions of each frame."""
        return [
            _digest(
                _canonical(self.numbers[first:last], "<i8"),
                _canonical(self.cells[index], "<f8"),
                _canonical(self.pbc[index], "<i8"),
                _canonical(self.positions[first:last], "<f8"),
            )
            for index, first, last in self._rows()
        ]

    @cached_property
    def frame_ids(self) -> list[str]:
        """The structure id, and for labelled frames the sha256 over it, the labels and the labelling settings."""
        if self.energy is None or self.forces is None:
            return list(self.structure_ids)
        no_stress = np.empty(0)
        return [
            _digest(
                self.structure_ids[index].encode(),
                _canonical(self.energy[index : index + 1], "<f8"),
                _canonical(self.forces[first:last], "<f8"),
                _canonical(no_stress if self.stress is None else self.stress[index], "<f8"),
                self.settings_hash.encode(),
            )
            for index, first, last in self._rows()
        ]

    @cached_property
    def content_hash(self) -> str:
        """Hash of the shard: frame ids in order, with type, group, parent and step of each."""
        lines = zip(
            self.frame_ids,
            self.config_type,
            self.group,
            self.parent_id,
            self.md_step.astype(str),
            strict=True,
        )
        return _digest(*("\t".join(line).encode() for line in lines))

    def _rows(self) -> Iterator[tuple[int, int, int]]:
        for index in range(len(self)):
            yield index, int(self.offsets[index]), int(self.offsets[index + 1])

    # ---------------------------------------------------------------- questions
    @property
    def species(self) -> list[str]:
        """Element symbols present, by atomic number."""
        return [chemical_symbols[number] for number in np.unique(self.numbers)]

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """Atoms in each frame, ``(n_frames,)``."""
        return np.diff(self.offsets)

    def validate(
        self,
        *,
        species: Sequence[str] | None = None,
        min_distance_ang: float = 0.5,
        need_periodic: bool = True,
    ) -> None:
        """Refuse frames that no program should compute with.

        :param species: the elements that are known; None for any.
        :param min_distance_ang: closest allowed pair, Å.
        :raises FramesError: naming the first bad frame and why.
        """
        from aiida_seireact.science.health import smallest_distance

        known = None if species is None else {atomic_numbers[symbol] for symbol in species}
        for index, first, last in self._rows():
            where = f"Frame {index} ({self.config_type[index] or 'no type'})"
            positions, numbers = self.positions[first:last], self.numbers[first:last]
            if not (np.isfinite(positions).all() and np.isfinite(self.cells[index]).all()):
                raise FramesError(f"{where} has NaN or infinite positions or cell: drop or rebuild it.")
            if known is not None and not known.issuperset(numbers.tolist()):
                unknown = sorted({chemical_symbols[n] for n in numbers.tolist()} - set(species or ()))
                raise FramesError(
                    f"{where} holds {', '.join(unknown)}, but only {', '.join(species or ())} are known here: "
                    "remove the frame or extend the list of species."
                )
            if need_periodic and not self.pbc[index].all():
                raise FramesError(f"{where} is not periodic in all directions: set pbc=True and give a cell.")
            if need_periodic and abs(np.linalg.det(self.cells[index])) < 1e-3:
                raise FramesError(f"{where} has a cell without volume: give three independent lattice vectors.")
            distance, pair = smallest_distance(positions, self.cells[index], self.pbc[index])
            if distance < min_distance_ang:
                raise FramesError(
                    f"{where} has atoms {pair[0]} and {pair[1]} only {distance:.2f} Å apart "
                    f"(limit {min_distance_ang} Å): the structure is broken, rebuild it."
                )
            for name in ("energy", "forces", "stress"):
                column = getattr(self, name)
                if (
                    column is not None
                    and not np.isfinite(column[first:last] if name == "forces" else column[index]).all()
                ):
                    raise FramesError(f"{where} has a label with NaN in its {name}: label it again or drop it.")

    # ---------------------------------------------------------------- ASE and files
    def to_atoms(self, index: int) -> Atoms:
        """Return one frame; labelled frames carry a ``SinglePointCalculator``."""
        first, last = int(self.offsets[index]), int(self.offsets[index + 1])
        atoms = Atoms(
            numbers=self.numbers[first:last],
            positions=self.positions[first:last],
            cell=self.cells[index],
            pbc=self.pbc[index],
        )
        for name in ("config_type", "group", "parent_id"):
            value = str(getattr(self, name)[index])
            if value:
                atoms.info[name] = value
        if self.md_step[index] >= 0:
            atoms.info["md_step"] = int(self.md_step[index])
        if self.energy is not None and self.forces is not None:
            stress = {} if self.stress is None else {"stress": self.stress[index].copy()}
            atoms.calc = SinglePointCalculator(
                atoms, energy=float(self.energy[index]), forces=self.forces[first:last].copy(), **stress
            )
            if self.energy_e0 is not None:
                atoms.info["energy_e0"] = float(self.energy_e0[index])
        return atoms

    def iter_atoms(self) -> Iterator[Atoms]:
        """Yield the frames one by one."""
        for index in range(len(self)):
            yield self.to_atoms(index)

    def to_extxyz(self, path: str | Path, split: Sequence[str] | None = None) -> None:
        """Write extended XYZ to the last bit, as nequip and ASE read it (see :mod:`aiida_seireact.formats.extxyz`)."""
        from aiida_seireact.formats.extxyz import write_extxyz

        write_extxyz(path, self, split)

    @classmethod
    def from_extxyz(cls, path: str | Path, *, settings_hash: str = "") -> Frames:
        """Read extended XYZ with or without labels.

        :param settings_hash: of the level of theory, for a file that does not tell it.
        :raises FramesError: the file is not readable as extxyz, only some frames are labelled, or a frame is not what
            its frame id says.
        """
        from aiida_seireact.formats.extxyz import read_extxyz

        return read_extxyz(path, settings_hash=settings_hash)[0]

    def save(self, path: str | Path) -> None:
        """Write all columns as ``.npz``, atomically; no pickles."""
        columns = {item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) is not None}
        with write_atomically(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **columns)

    @classmethod
    def load(cls, path: str | Path) -> Frames:
        """Read what :meth:`save` wrote.

        :raises FramesError: missing, truncated or foreign file.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                columns: dict[str, Any] = {name: archive[name] for name in archive.files}
        except FileNotFoundError:
            raise FramesError(f"There is no frames file {path}.") from None
        except Exception as error:  # zipfile, numpy and zlib each have their own
            raise FramesError(f"{path} is not a whole frames file ({error}): write it again.") from error
        try:
            return cls(**{**columns, "settings_hash": str(columns.get("settings_hash", ""))})
        except TypeError as error:
            raise FramesError(f"{path} is not a frames file ({error}).") from error


def one_level(shards: Sequence[Frames], settings_hash: str | None = None) -> str:
    """Return the hash of the one level of theory of all shards.

    :param settings_hash: that of a dataset they are to join, if any.
    :raises FramesError: no shard, or shards of unlike labels (labelled beside unlabelled, or two settings).
    """
    if not shards:
        raise FramesError("No shard was given.")
    given = set() if settings_hash is None else {settings_hash}
    settings = sorted({shard.settings_hash for shard in shards} | given)
    if len(settings) > 1 or len({shard.is_labelled for shard in shards}) > 1:
        raise FramesError(
            "These shards were labelled with different settings "
            f"({', '.join(name[:12] or 'unlabelled' for name in settings)}): a dataset has one level of theory."
        )
    return settings[0]


def _results_of(atoms: Atoms) -> dict[str, Any] | None:
    """Labels of an image, or None when energy or forces are not there already (nothing is computed here)."""
    results = getattr(atoms.calc, "results", {})
    if not {"energy", "forces"} <= set(results):
        return None
    found = {
        "energy": float(results["energy"]),
        "forces": np.asarray(results["forces"], dtype=np.float64),
    }
    if results.get("stress") is not None:
        stress = np.asarray(results["stress"], dtype=np.float64)
        found["stress"] = stress if stress.shape == (6,) else stress.reshape(9)[[0, 4, 8, 5, 2, 1]]
    if "energy_e0" in atoms.info:
        found["energy_e0"] = float(atoms.info["energy_e0"])
    return found
