"""``seireact.checkpoint``: where a training can go on from, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.exceptions import ValidationError
from aiida.orm.nodes.caching import NodeCaching

from aiida_seireact.formats.checkpoint import read_checkpoint_card, read_origin

FACTS = ("epoch", "best_epoch", "best_total", "state_hash")


class CheckpointCaching(NodeCaching):
    """Two files of one state are one checkpoint: the pickles in them carry paths."""

    def get_objects_to_hash(self) -> dict[str, Any]:
        """Hash the state instead of the bytes of the file."""
        attributes = self._node.base.attributes
        return {"class": str(self._node.__class__), **{key: attributes.get(key, "") for key in ("epoch", "state_hash")}}


class CheckpointData(orm.SinglefileData):
    """Weights, averages, optimiser, order of frames and curve of a training after an epoch, and its best weights.

    Attributes to query: ``epoch`` (the last one that is done), ``best_epoch``, ``best_total`` (its validation error),
    ``state_hash``, ``origin`` (the settings and sets of frames of its training). It is read by nequip-train only, which
    unpickles it: give a job checkpoints of your own jobs only.
    """

    _CLS_NODE_CACHING = CheckpointCaching

    @classmethod
    def of_file(cls, path: str | Path) -> CheckpointData:
        """Return the node of a ``checkpoint.zip``; nothing of it is unpickled.

        :raises CheckpointError: missing or torn.
        """
        card = read_checkpoint_card(path)
        node = cls(file=path)
        node.base.attributes.set_many({**card.as_dict(), "origin": read_origin(path)})
        return node

    def _validate(self) -> bool:
        super()._validate()
        missing = [name for name in FACTS if name not in self.base.attributes.all]
        if missing:
            raise ValidationError(f"A checkpoint needs {', '.join(missing)}: make it by CheckpointData.of_file.")
        return True

    @property
    def epoch(self) -> int:
        """The last epoch that is done, counted from 0."""
        return int(self.base.attributes.get("epoch"))
