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
from aiida_seireact.formats.compute_tables import Table


class TrajectoryData(orm.ArrayData):
    """Thermodynamic table and chunk manifest of one MD run; no coordinates, whatever its length.

    Arrays: one for each thermo column (``step``, ``temp``, ``pe``, ``press``, ``vol`` …; LAMMPS metal units), named
    ``thermo_<column>``. Attributes to query: ``manifest`` (a list of chunks with file, sha256, bytes, steps),
    ``content_hash``, ``n_atoms``, ``species``, ``timestep_fs``, ``dump_every``, ``first_step``, ``last_step``,
    ``steps``, ``steps_asked``, ``done``, ``stopped_by``; of a run that wrote more than the main dump, ``dumps`` (by
    name, chunks like those of ``manifest``) and ``computed`` (by name, the columns). A run of several segments is one
    such node too.

    What was computed on the way: arrays ``computed_<name>_steps`` ``(n,)`` and ``computed_<name>`` ``(n, n_columns)``,
    of tables ``(n, n_rows, n_columns)``.
    """

    def __init__(
        self,
        thermo: dict[str, NDArray[np.float64]] | None = None,
        *,
        manifest: list[dict[str, Any]] | None = None,
        facts: dict[str, Any] | None = None,
        computed: dict[str, Table] | None = None,
        **kwargs: Any,
    ) -> None:
        """:param thermo: columns of equal length.

        :param manifest: the chunks, in order.
        :param facts: ``n_atoms``, ``species``, ``timestep_fs``, ``dump_every``, ``first_step``, ``last_step``,
            ``steps``, ``steps_asked``, ``done``, ``stopped_by``, and ``dumps`` where there are.
        :param computed: by name, what was computed on the way.
        """
        super().__init__(**kwargs)
        for name, column in (thermo or {}).items():
            self.set_array(f"thermo_{name}", np.asarray(column, dtype=np.float64))
        for name, table in (computed or {}).items():
            self.set_array(f"computed_{name}_steps", table.steps)
            self.set_array(f"computed_{name}", table.values)
        if computed:
            columns = {name: list(table.columns) for name, table in computed.items()}
            self.base.attributes.set("computed", columns)
        further = [chunk for chunks in (facts or {}).get("dumps", {}).values() for chunk in chunks]
        hashes = [chunk.get("sha256", "") for chunk in [*(manifest or []), *further]]
        content_hash = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
        self.base.attributes.set_many({"manifest": manifest or [], "content_hash": content_hash, **(facts or {})})

    def _validate(self) -> bool:
        super()._validate()
        manifest = self.base.attributes.get("manifest")
        # A segment that was stopped before its first frame has none.
        if not manifest and not len(self.get_arraynames()):
            raise ValidationError("A trajectory needs the manifest of its chunks, or a thermo table.")
        for chunk in [*manifest, *(one for chunks in self.dumps.values() for one in chunks)]:
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
    def dumps(self) -> dict[str, list[dict[str, Any]]]:
        """The chunks of each further dump by its name, in order."""
        return dict(self.base.attributes.get("dumps", {}))

    @property
    def computed(self) -> dict[str, Table]:
        """What was computed on the way, by its name in `computes`."""
        columns = self.base.attributes.get("computed", {})
        return {
            name: Table(self.get_array(f"computed_{name}_steps"), self.get_array(f"computed_{name}"), list(heads))
            for name, heads in columns.items()
        }

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
            if segment._file_of(sha256) is None:
                continue
            query = orm.QueryBuilder(backend=self.backend)
            query.append(TrajectoryData, filters={"attributes.content_hash": segment.content_hash}, project="*")
            runs = [segment, *(node for node in query.all(flat=True) if node.pk != segment.pk)]
            # Equal bytes may bear another name: what a killed try has dumped is named after it.
            named: dict[str, list[orm.ProcessNode]] = {}
            for run in runs:
                if isinstance(run.creator, orm.CalcJobNode) and (name := run._file_of(sha256)) is not None:
                    named.setdefault(name, []).append(run.creator)
            for name, creators in named.items():
                yield from copies_of(creators, name)

    def _file_of(self, sha256: str) -> str | None:
        """Return the file of a chunk of this run, None if it has no such chunk."""
        chunks = [*self.manifest, *(one for chunks in self.dumps.values() for one in chunks)]
        return next((chunk["file"] for chunk in chunks if chunk["sha256"] == sha256), None)

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
