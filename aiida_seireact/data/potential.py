"""``seireact.potential``: one model file and its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.exceptions import ValidationError
from aiida.orm.nodes.caching import NodeCaching

from aiida_seireact.formats.pair_files import FOREIGN_KINDS, read_pair_file

# The last ones are files for pair styles of LAMMPS, see `pair_files`.
PACKAGE_KINDS = ("allegro-package", "nequip-package")
KINDS = (*PACKAGE_KINDS, "allegro-compiled", "sgp", *FOREIGN_KINDS)
HASHED = ("kind", "model_hash", "target", "device", "torch_version", "cpu_isa")
# Hashed where they are something: without them a file is what it was before they were told.
HASHED_IF_SET = ("tf32", "modifiers", "cuda_capability")
CARD = ("kind", "species", "cutoff_ang", "model_hash", "dataset_hash", "versions", "metrics")


class PotentialCaching(NodeCaching):
    """Two files of one model are one model: packages are zips, and zips carry dates."""

    def get_objects_to_hash(self) -> dict[str, Any]:
        """Hash kind, model hash and how it was compiled instead of the bytes of the file."""
        attributes = self._node.base.attributes
        told = {key: attributes.get(key, "") for key in HASHED}
        compiled = {key: attributes.get(key) for key in HASHED_IF_SET if attributes.get(key, None)}
        return {"class": str(self._node.__class__), **told, **compiled}


class PotentialData(orm.SinglefileData):
    """One model artefact. Packages travel; compiled files belong to one device kind and one torch version.

    Attributes to query: ``kind``, ``species`` (in the order of the model's types), ``cutoff_ang``, ``units``,
    ``versions``, ``dataset_hash``, ``model_hash`` (weights and settings), ``metrics``; of compiled models also
    ``target``, ``device``, ``torch_version``, ``package_hash``, ``tf32``, ``modifiers``, ``cuda_capability``.
    """

    _CLS_NODE_CACHING = PotentialCaching

    def __init__(self, file: Any = None, *, card: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """:param file: path or stream of the model file.

        :param card: at least the keys of ``CARD``; ``metrics`` are errors and never part of a hash.
        :raises ValueError: an incomplete card.
        """
        # SinglefileData refuses a path that hangs on where it is read from.
        super().__init__(file=Path(file).resolve() if isinstance(file, str | Path) else file, **kwargs)
        card = {"units": {"energy": "eV", "length": "angstrom"}, "target": "", **(card or {})}
        missing = [key for key in CARD if key not in card]
        if missing:
            raise ValueError(f"The card of this potential lacks {', '.join(missing)}.")
        if card["kind"] not in KINDS:
            raise ValueError(f"Unknown kind of potential {card['kind']!r}: use one of {', '.join(KINDS)}.")
        self.base.attributes.set_many(card)

    def _validate(self) -> bool:
        super()._validate()
        if self.base.attributes.get("kind") == "allegro-compiled" and not self.base.attributes.get("torch_version", ""):
            raise ValidationError("A compiled model needs `torch_version` and `device` on its card.")
        return True

    @classmethod
    def of_pair_style(
        cls, file: str | Path, kind: str, *, species: Sequence[str] = (), cutoff_ang: float | None = None
    ) -> PotentialData:
        """Return the potential of a file for a pair style of LAMMPS, its card read from the file.

        :param kind: ``nequip-mliap``, ``flare-coefficients``, ``pace``, ``deepmd`` or ``lammps-file``.
        :param species: elements in the order of the model's types; needed where the file does not tell them.
        :param cutoff_ang: Å; only told, never used.
        :raises ModelFileError: a file that is not whole or of another kind, or species that are not its own.
        """
        card = read_pair_file(file, kind, species)
        told: dict[str, Any] = {
            "kind": kind,
            "cutoff_ang": cutoff_ang,
            "dataset_hash": "",
            "versions": {},
            "metrics": {},
        }
        return cls(file, card={**told, "species": card.species, "model_hash": card.sha256})

    @property
    def kind(self) -> str:
        """One of ``PACKAGE_KINDS`` or ``FOREIGN_KINDS``, ``allegro-compiled`` (of either network), or ``sgp``."""
        return str(self.base.attributes.get("kind"))

    @property
    def species(self) -> list[str]:
        """Element symbols in the order of the model's types."""
        return list(self.base.attributes.get("species"))

    @property
    def model_hash(self) -> str:
        """Hash of weights and settings."""
        return str(self.base.attributes.get("model_hash"))

    @property
    def card(self) -> dict[str, Any]:
        """All that is told about the model."""
        return {key: value for key, value in self.base.attributes.items() if key != "filename"}
