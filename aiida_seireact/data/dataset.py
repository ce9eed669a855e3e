"""``seireact.dataset``: which frames a model learns from, which it is held to, and which it never sees."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent, ValidationError
from numpy.typing import NDArray

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames

SPLITS = ("train", "val", "test")


class DatasetData(orm.ArrayData):
    """A manifest over shards of labelled frames: frame ids, split and group of each, content hashes of the shards.

    The frames stay in their shards, so that appending a hundred frames writes a manifest, not all frames again. The
    shards are found by content hash; the links of the calcfunction that made the dataset reach them too, so an
    archive always holds them.

    Attributes to query: ``n_frames``, ``n_train``, ``n_val``, ``n_test``, ``config_types`` (counts), ``species``,
    ``settings_hash``, ``shard_hashes``, ``content_hash``.
    """

    def __init__(
        self, shards: Sequence[Frames] | None = None, split: Sequence[Any] | None = None, **kwargs: Any
    ) -> None:
        """:param shards: labelled shards of one level of theory.

        :param split: for each shard, for each frame: ``train``, ``val``, ``test`` or ``''`` (left out).
        :raises FramesError: two levels of theory.
        :raises ValueError: unlabelled frames, a frame twice, a group in two splits, nothing to train on.
        """
        super().__init__(**kwargs)
        if not shards or split is None:
            raise ValueError("A dataset is made of shards and their split: DatasetData(shards, split).")
        frames = Frames.concatenate(list(shards))
        if not frames.is_labelled:
            raise ValueError("A dataset holds labelled frames only: these have no energy and forces.")
        assigned = np.concatenate([np.asarray(part, dtype="<U5") for part in split])
        ids = np.array(frames.frame_ids)
        kept = np.flatnonzero(assigned != "")
        kept = kept[np.argsort(ids[kept], kind="stable")]
        self.set_array("frame_ids", ids[kept])
        self.set_array("split", assigned[kept])
        self.set_array("group", frames.group[kept])
        self.set_array("config_type", frames.config_type[kept])
        counts = Counter(assigned[kept].tolist())
        self.base.attributes.set_many(
            {
                "n_frames": len(kept),
                **{f"n_{name}": counts.get(name, 0) for name in SPLITS},
                "config_types": dict(sorted(Counter(frames.config_type[kept].tolist()).items())),
                "species": frames.select(kept).species if len(kept) else [],
                "settings_hash": frames.settings_hash,
                "shard_hashes": sorted({shard.content_hash for shard in shards}),
                "content_hash": dataset_hash(ids[kept], assigned[kept]),
            }
        )
        self._check()

    def _validate(self) -> bool:
        super()._validate()
        try:
            self._check()
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return True

    def _check(self) -> None:
        ids, split, group = (self.get_array(name) for name in ("frame_ids", "split", "group"))
        if dataset_hash(ids, split) != self.content_hash:
            raise ValueError("The content of this dataset does not belong to its hash.")
        if len(set(ids.tolist())) != len(ids):
            raise ValueError("A frame is in this dataset twice: keep the first of each frame id.")
        unknown = set(split.tolist()) - set(SPLITS)
        if unknown:
            raise ValueError(f"Unknown split {sorted(unknown)}: use train, val or test.")
        for name in ("train", "val"):
            if name not in split:
                raise ValueError(f"This dataset has no frame in {name!r}: give more frames or another fraction.")
        owners: dict[str, str] = {}
        for name, part in zip(group.tolist(), split.tolist(), strict=True):
            if owners.setdefault(name, part) != part and name:
                raise ValueError(
                    f"Group {name!r} is split between {owners[name]} and {part}: errors would be too good."
                )

    @property
    def content_hash(self) -> str:
        """Hash of the sorted frame ids with their split, whatever the shards are."""
        return str(self.base.attributes.get("content_hash"))

    @property
    def species(self) -> list[str]:
        """Element symbols, by atomic number."""
        return list(self.base.attributes.get("species"))

    def __len__(self) -> int:
        return int(self.base.attributes.get("n_frames"))

    def frame_ids(self, split: str | None = None) -> list[str]:
        """Return the frame ids, sorted; of one split if given."""
        ids: NDArray[np.str_] = self.get_array("frame_ids")
        return list(ids if split is None else ids[self.get_array("split") == split])

    def shards(self) -> list[FramesData]:
        """Return one stored node for each shard.

        :raises NotExistent: a shard is not in this profile.
        """
        found = []
        for content_hash in self.base.attributes.get("shard_hashes"):
            query = orm.QueryBuilder(backend=self.backend).append(
                FramesData, filters={"attributes.content_hash": content_hash}
            )
            node = query.limit(1).first(flat=True)
            if node is None:
                raise NotExistent(
                    f"The shard {content_hash[:12]} of dataset {self.content_hash[:12]} is not in this profile: "
                    "import the archive that holds it."
                )
            found.append(node)
        return found

    def frames(self, split: str | None = None) -> Frames:
        """Return the frames in canonical order (sorted by frame id); of one split if given."""
        frames = Frames.concatenate([shard.frames for shard in self.shards()])
        position = {frame_id: index for index, frame_id in reversed(list(enumerate(frames.frame_ids)))}
        return frames.select([position[frame_id] for frame_id in self.frame_ids(split)])


def dataset_hash(frame_ids: NDArray[np.str_], split: NDArray[np.str_]) -> str:
    """Return the hash of the sorted frame ids with their split.

    :param frame_ids: ``(n,)``
    :param split: ``(n,)``
    """
    lines = sorted(f"{frame_id}\t{name}" for frame_id, name in zip(frame_ids.tolist(), split.tolist(), strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
