"""``seireact.restart``: where an MD run can go on from; the file itself lies with the job that wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent, ValidationError

from aiida_seireact.data.copies import LiveCopy, copies_of
from aiida_seireact.formats.manifest_rows import in_order

FACTS = ("file", "sha256", "bytes", "step", "n_atoms", "species", "reference_volume_ang3")


class RestartData(orm.Data):
    """Identity of one restart file of LAMMPS: positions, velocities, box, thermostat and barostat at one step.

    Attributes to query: ``file``, ``sha256``, ``bytes``, ``step``, ``n_atoms``, ``species`` (element of each atom type,
    in order; where some have no atom, ``present`` names those that have) and ``reference_volume_ang3`` (volume that the
    stop rule compares with, Å³, or None). LAMMPS reads files of its own version, and warns of others.
    """

    def __init__(self, facts: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """:param facts: the attributes."""
        super().__init__(**kwargs)
        self.base.attributes.set_many(dict(facts or {}))

    def _validate(self) -> bool:
        super()._validate()
        missing = [name for name in FACTS if name not in self.base.attributes.all]
        if missing:
            raise ValidationError(f"A restart needs {', '.join(missing)}.")
        return True

    @property
    def step(self) -> int:
        """MD step at which it was written."""
        return int(self.base.attributes.get("step"))

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return str(self.base.attributes.get("sha256"))

    @property
    def species(self) -> list[str]:
        """Element of each atom type, in order."""
        return list(self.base.attributes.get("species"))

    @property
    def present(self) -> list[str]:
        """Elements of which there are atoms, by atomic number; those of `species` unless it was told otherwise."""
        return list(self.base.attributes.get("present", in_order(self.species)))

    def live_copies(self) -> Iterator[LiveCopy]:
        """Yield the places that held the file when its run ended, repository first; all runs that gave it are asked."""
        query = orm.QueryBuilder(backend=self.backend)
        query.append(RestartData, filters={"attributes.sha256": self.sha256}, project="*")
        nodes = [self, *(node for node in query.all(flat=True) if node.pk != self.pk)]
        creators = [node.creator for node in nodes if node.creator is not None]
        yield from copies_of(creators, str(self.base.attributes.get("file")))

    def live_copy(self) -> LiveCopy:
        """Return the best place that holds the file.

        :raises NotExistent: every copy is gone.
        """
        for copy in self.live_copies():
            return copy
        raise NotExistent(
            f"No copy of the restart file of step {self.step} <{self.pk}> is left: neither retrieved nor stashed nor "
            "on its computer. Run its segment again with caching off, and set `retrieve_restart` or a stash."
        )
