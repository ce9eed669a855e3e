"""``seireact.trajectory``: the identity of a run; its bulk lies where it was made, or in the retrieved folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent, ValidationError
from numpy.typing import NDArray

from aiida_seireact.data.copies import LiveCopy, copies_of


class TrajectoryData(orm.ArrayData):
    """Thermodynamic table and chunk manifest of one MD run; no coordinates, whatever its length.

    Arrays: one for each thermo column (``step``, ``temp``, ``pe``, ``press``, ``vol`` …; LAMMPS metal units), named
    ``thermo_<column>``. Attributes to query: ``manifest`` (a list of chunks with file, sha256, bytes, steps),
    ``content_hash``, ``n_atoms``, ``species``, ``timestep_fs``, ``dump_every``, ``first_step``, ``last_step``,
    ``steps``, ``steps_asked``, ``done``, ``stopped_by``. A run of several segments is one such node too.
    """

    def __init__(
        self,
        thermo: dict[str, NDArray[np.float64]] | None = None,
        *,
        manifest: list[dict[str, Any]] | None = None,
        facts: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """:param thermo: columns of equal length.

        :param manifest: the chunks, in order.
        :param facts: ``n_atoms``, ``species``, ``timestep_fs``, ``dump_every``, ``first_step``, ``last_step``,
            ``steps``, ``steps_asked``, ``done``, ``stopped_by``.
        """
        super().__init__(**kwargs)
        for name, column in (thermo or {}).items():
            self.set_array(f"thermo_{name}", np.asarray(column, dtype=np.float64))
        hashes = [chunk.get("sha256", "") for chunk in manifest or []]
        content_hash = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
        self.base.attributes.set_many({"manifest": manifest or [], "content_hash": content_hash, **(facts or {})})

    def _validate(self) -> bool:
        super()._validate()
        manifest = self.base.attributes.get("manifest")
        # A segment that was stopped before its first frame has none.
        if not manifest and not len(self.get_arraynames()):
            raise ValidationError("A trajectory needs the manifest of its chunks, or a thermo table.")
        for chunk in manifest:
            if not {"file", "sha256", "bytes", "first_step", "last_step"} <= set(chunk):
                raise ValidationError(f"The chunk {chunk.get('file')} lacks its sha256, size or steps.")
        missing = [key for key in ("n_atoms", "species", "timestep_fs", "steps") if key not in self.base.attributes.all]
        if missing:
            raise ValidationError(f"The trajectory lacks {', '.join(missing)}.")
        return True

    @property
    def content_hash(self) -> str:
        """Hash of the chunks' hashes, in order."""
        return str(self.base.attributes.get("content_hash"))

    @property
    def manifest(self) -> list[dict[str, Any]]:
        """The chunks of the dump, in order."""
        return list(self.base.attributes.get("manifest"))

    @property
    def thermo(self) -> dict[str, NDArray[np.float64]]:
        """Thermo columns by LAMMPS keyword, each ``(n_rows,)``."""
        prefix = "thermo_"
        return {
            name.removeprefix(prefix): self.get_array(name)
            for name in sorted(self.get_arraynames())
            if name.startswith(prefix)
        }

    def live_copies(self, sha256: str) -> Iterator[LiveCopy]:
        """Yield the places that held the chunk ``sha256`` when its run ended, repository first.

        All runs with the same content are asked, so a replay from the cache finds the bytes of the first run; of a run
        of several segments, the segment that wrote the chunk.
        """
        for segment in self._segments():
            names = [chunk["file"] for chunk in segment.manifest if chunk["sha256"] == sha256]
            if not names:
                continue
            query = orm.QueryBuilder(backend=self.backend)
            query.append(TrajectoryData, filters={"attributes.content_hash": segment.content_hash}, project="*")
            runs = [segment, *(node for node in query.all(flat=True) if node.pk != segment.pk)]
            creators = [node.creator for node in runs if isinstance(node.creator, orm.CalcJobNode)]
            yield from copies_of(creators, names[0])

    def _segments(self) -> list[TrajectoryData]:
        """Return the trajectories of jobs that this one is joined from, itself if it is one."""
        if self.creator is None or isinstance(self.creator, orm.CalcJobNode):
            return [self]
        links = self.creator.base.links.get_incoming(node_class=TrajectoryData).all()
        return [segment for link in links for segment in link.node._segments()]

    def live_copy(self, sha256: str) -> LiveCopy:
        """Return the best place that holds a chunk.

        :raises NotExistent: every copy is gone.
        """
        for copy in self.live_copies(sha256):
            return copy
        raise NotExistent(
            f"No copy of chunk {sha256[:12]} of trajectory {self.pk} is left: neither retrieved nor on its computer. "
            "Run its calculation again with caching off."
        )
