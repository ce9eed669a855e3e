"""``seireact.dataset``: which frames a model learns from, which it is held to, and which it never sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent, ValidationError
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames, FramesError, one_level
from aiida_seireact.formats.manifest_rows import (
    FIELDS,
    SPLITS,
    Rows,
    ShardRows,
    complaint,
    dataset_hash,
    in_order,
    joined,
    records,
    text_of,
    united,
)

SHARD_ARRAY = "shard_"


class DatasetData(orm.ArrayData):
    """A manifest over shards of labelled frames: for each shard the rows that are in it, their frame id, split, group.

    The frames stay in their shards, so that appending a hundred frames to thousands needs the old manifest and the new
    shard only. The rows of a shard are one array file: a shard that is in the old and in the new dataset alike has the
    same file in both, and AiiDA's repository keeps a file once, so an appended dataset costs the bytes of what is new.
    The shards are found by content hash; the links of the calcfunction that made the dataset reach them too, so an
    archive always holds them.

    Attributes to query: ``n_frames``, ``n_train``, ``n_val``, ``n_test``, ``config_types`` (counts), ``species``,
    ``settings_hash``, ``shard_hashes``, ``content_hash``.
    """

    def __init__(
        self,
        shards: Sequence[Frames] | None = None,
        split: Sequence[Any] | None = None,
        *,
        parts: Sequence[ShardRows] | None = None,
        settings_hash: str = "",
        **kwargs: Any,
    ) -> None:
        """:param shards: labelled shards of one level of theory.

        :param split: for each shard, for each frame: ``train``, ``val``, ``test`` or ``''`` (left out).
        :param parts: in place of shards and split, the manifest rows of shards.
        :param settings_hash: with ``parts``: hash of the level of theory of all of them.
        :raises FramesError: two levels of theory, or unlabelled frames.
        :raises ValueError: a frame twice, a group in two splits, nothing to train on.
        """
        super().__init__(**kwargs)
        if parts is None:
            if not shards or split is None:
                raise ValueError("A dataset is made of shards and their split: DatasetData(shards, split).")
            settings_hash = one_level(shards)
            parts = [ShardRows.of(frames, part) for frames, part in zip(shards, split, strict=True)]
        parts = united(parts)
        for part in parts:
            self.set_array(f"{SHARD_ARRAY}{part.shard_hash}", part.rows)
        table = joined([part.rows for part in parts])
        assigned = text_of(table, "split")
        counts = Counter(assigned.tolist())
        self.base.attributes.set_many(
            {
                "n_frames": len(table),
                **{f"n_{name}": counts.get(name, 0) for name in SPLITS},
                "config_types": dict(sorted(Counter(text_of(table, "config_type").tolist()).items())),
                "species": in_order({symbol for part in parts for symbol in part.species}),
                "shard_species": {part.shard_hash: list(part.species) for part in parts},
                "settings_hash": settings_hash,
                "shard_hashes": [part.shard_hash for part in parts],
                "content_hash": dataset_hash(text_of(table, "frame_id"), assigned),
            }
        )
        self._check()

    def _validate(self) -> bool:
        super()._validate()
        try:
            self._check()
        except (KeyError, ValueError) as error:
            raise ValidationError(str(error)) from error
        return True

    def _check(self) -> None:
        rows = joined([part.rows for part in self.parts()])
        if dataset_hash(text_of(rows, "frame_id"), text_of(rows, "split")) != self.content_hash:
            raise ValueError("The content of this dataset does not belong to its hash.")
        if reason := complaint(rows):
            raise ValueError(reason)

    # ---------------------------------------------------------------- what is in it
    @property
    def content_hash(self) -> str:
        """Hash of the sorted frame ids with their split, whatever the shards are."""
        return str(self.base.attributes.get("content_hash"))

    @property
    def settings_hash(self) -> str:
        """Hash of the level of theory of the labels."""
        return str(self.base.attributes.get("settings_hash"))

    @property
    def species(self) -> list[str]:
        """Element symbols, by atomic number."""
        return list(self.base.attributes.get("species"))

    def __len__(self) -> int:
        return int(self.base.attributes.get("n_frames"))

    def parts(self) -> list[ShardRows]:
        """Return the rows of each shard, by content hash of the shard."""
        species = self.base.attributes.get("shard_species")
        return [
            ShardRows(name, tuple(species[name]), self.get_array(f"{SHARD_ARRAY}{name}"))
            for name in self.base.attributes.get("shard_hashes")
        ]

    @cached_property
    def table(self) -> Rows:
        """Row in its shard, frame id, split, group and config type of each frame, by frame id."""
        return joined([part.rows for part in self.parts()])

    def column(self, name: str) -> NDArray[np.str_]:
        """Return ``frame_id``, ``split``, ``group`` or ``config_type`` of each frame, ``(n_frames,)``, by frame id."""
        return text_of(self.table, name)

    def frame_ids(self, split: str | None = None) -> list[str]:
        """Return the frame ids, sorted; of one split if given."""
        ids = self.column("frame_id")
        return list((ids if split is None else ids[self.column("split") == split]).tolist())

    def split_of(self) -> dict[str, str]:
        """Return frame id -> split."""
        return dict(zip(self.frame_ids(), self.column("split").tolist(), strict=True))

    # ---------------------------------------------------------------- other datasets of the same frames
    def extended(self, frames: Frames, split: ArrayLike) -> DatasetData:
        """Return this dataset with the frames of a further shard; those that were there keep their split.

        The shards of this dataset are not read.

        :param split: for each frame of the shard its split, ``''`` for one that is left out or is there already.
        :raises FramesError: another level of theory, or no labels.
        :raises ValueError: a frame that is there already, a group in two splits.
        """
        one_level([frames], self.settings_hash)
        return DatasetData(parts=[*self.parts(), ShardRows.of(frames, split)], settings_hash=self.settings_hash)

    def with_split(self, split: ArrayLike) -> DatasetData:
        """Return a dataset of the same shards with another split, ``''`` for frames that leave.

        :param split: ``(n_frames,)``, by frame id.
        :raises ValueError: a group in two splits, nothing to train on.
        """
        assigned, table = np.asarray(split, dtype="<U5"), self.table
        shards = self.shards() if (assigned == "").any() else []
        parts = []
        for number, part in enumerate(self.parts()):
            mine = np.flatnonzero(table["part"] == number)
            mine = mine[np.argsort(table["row"][mine])]
            if (assigned[mine] != "").all():
                rows = part.rows.copy()
                rows["split"] = assigned[mine].astype("S5")
                parts.append(replace(part, rows=rows))
            else:
                left = assigned[mine] != ""
                columns = {name: part.rows[name][left] for name in FIELDS} | {"split": assigned[mine][left]}
                # Frames that leave may take a species with them: of the shard only the elements are read.
                present = shards[number].species_of(columns["row"])
                parts.append(ShardRows(part.shard_hash, tuple(present), records(**columns)))
        return DatasetData(parts=parts, settings_hash=self.settings_hash)

    # ---------------------------------------------------------------- the frames
    def shards(self) -> list[FramesData]:
        """Return one stored node for each shard, by content hash.

        :raises NotExistent: a shard is not in this profile.
        """
        wanted = self.base.attributes.get("shard_hashes")
        query = orm.QueryBuilder(backend=self.backend).append(
            FramesData, filters={"attributes.content_hash": {"in": wanted}}
        )
        found: dict[str, FramesData] = {}
        for node in query.order_by({FramesData: "id"}).iterall():
            found.setdefault(node[0].content_hash, node[0])
        for content_hash in wanted:
            if content_hash not in found:
                raise NotExistent(
                    f"The shard {content_hash[:12]} of dataset {self.content_hash[:12]} is not in this profile: "
                    "import the archive that holds it."
                )
        return [found[content_hash] for content_hash in wanted]

    def frames(self, split: str | None = None) -> Frames:
        """Return the frames in canonical order (sorted by frame id); of one split if given.

        :raises FramesError: no frame is in that split.
        """
        table = self.table if split is None else self.table[self.table["split"] == split.encode()]
        picked, places = [], []
        for number, shard in enumerate(self.shards()):
            mine = np.flatnonzero(table["part"] == number)
            if len(mine):
                picked.append(shard.frames.select(table["row"][mine]))
                places.append(mine)
        if not picked:
            raise FramesError(f"No frame of this dataset is in {split!r}: it has " + self._counted() + ".")
        # Frames of one shard come in canonical order already: they are copied once.
        if len(picked) == 1:
            return picked[0]
        return Frames.concatenate(picked).select(np.argsort(np.concatenate(places)))

    def _counted(self) -> str:
        return ", ".join(f"{self.base.attributes.get(f'n_{name}')} {name}" for name in SPLITS)
