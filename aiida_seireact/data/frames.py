"""``seireact.frames``: an immutable shard of frames, labelled or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from aiida import orm
from aiida.common.exceptions import ValidationError
from ase import Atoms
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import NDArray

from aiida_seireact.formats.frames import Frames, FramesError


class FramesData(orm.ArrayData):
    """A shard of frames in columns (see :class:`aiida_seireact.formats.frames.Frames`); one node a batch.

    Attributes to query: ``n_frames``, ``n_atoms`` (sum), ``species``, ``formulas``, ``config_types`` (counts),
    ``is_labelled``, ``has_stress``, ``settings_hash``, ``content_hash``.
    """

    def __init__(self, frames: Frames | None = None, **kwargs: Any) -> None:
        """:param frames: the columns; they are checked and can't be changed later.

        :raises FramesError: frames that hold NaN, overlapping atoms or a cell without volume.
        """
        super().__init__(**kwargs)
        if frames is None:
            raise FramesError("A FramesData holds frames: FramesData(frames) or FramesData.from_ase(images).")
        frames.validate(need_periodic=False)
        for item in fields(frames):
            column = getattr(frames, item.name)
            if column is not None and item.name != "settings_hash":
                self.set_array(item.name, column)
        self.base.attributes.set_many(
            {
                "n_frames": len(frames),
                "n_atoms": len(frames.numbers),
                "species": frames.species,
                "formulas": sorted({_formula(frames, index) for index in range(len(frames))}),
                "config_types": dict(sorted(Counter(frames.config_type.tolist()).items())),
                "is_labelled": frames.is_labelled,
                "has_stress": frames.has_stress,
                "settings_hash": frames.settings_hash,
                "content_hash": frames.content_hash,
            }
        )

    @classmethod
    def from_ase(
        cls,
        images: Iterable[Atoms],
        *,
        labels: Literal["auto", "required", "ignore"] = "auto",
        settings_hash: str = "",
    ) -> FramesData:
        """Build from ASE images (see :meth:`Frames.from_atoms`)."""
        return cls(Frames.from_atoms(images, labels=labels, settings_hash=settings_hash))

    @classmethod
    def from_extxyz(cls, path: str | Path, *, settings_hash: str = "") -> FramesData:
        """Build from an extended XYZ file."""
        return cls(Frames.from_extxyz(path, settings_hash=settings_hash))

    def _validate(self) -> bool:
        super()._validate()
        try:
            content_hash = self.frames.content_hash
        except (FramesError, KeyError, TypeError) as error:
            raise ValidationError(f"This shard of frames is not whole: {error}") from error
        if content_hash != self.content_hash:
            raise ValidationError("The content of this shard of frames does not belong to its content hash.")
        return True

    @cached_property
    def frames(self) -> Frames:
        """The columns as one object, read once."""
        names = set(self.get_arraynames())
        columns: dict[str, Any] = {
            item.name: self.get_array(item.name) for item in fields(Frames) if item.name in names
        }
        return Frames(**columns, settings_hash=str(self.base.attributes.get("settings_hash")))

    @property
    def content_hash(self) -> str:
        """Hash of frame ids, types, groups and origins, in order."""
        return str(self.base.attributes.get("content_hash"))

    @property
    def is_labelled(self) -> bool:
        """Whether energy and forces are there."""
        return bool(self.base.attributes.get("is_labelled"))

    @property
    def has_stress(self) -> bool:
        """Whether energy, forces and stress are there."""
        return bool(self.base.attributes.get("has_stress"))

    def __len__(self) -> int:
        return int(self.base.attributes.get("n_frames"))

    def species_of(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the element symbols of the frames in these rows, by atomic number; positions are not read."""
        numbers, offsets = self.get_array("numbers"), self.get_array("offsets")
        wanted = np.zeros(len(offsets) - 1, dtype=bool)
        wanted[rows] = True
        counts = np.bincount(numbers[np.repeat(wanted, np.diff(offsets))])
        return [chemical_symbols[number] for number in np.flatnonzero(counts)]

    def to_ase(self, index: int = 0) -> Atoms:
        """Return one frame."""
        return self.frames.to_atoms(index)

    def iter_ase(self) -> Iterator[Atoms]:
        """Yield the frames one by one."""
        yield from self.frames.iter_atoms()


def _formula(frames: Frames, index: int) -> str:
    numbers = frames.numbers[frames.offsets[index] : frames.offsets[index + 1]]
    return str(Formula.from_list([*Atoms(numbers=np.asarray(numbers)).symbols]).format("hill"))
