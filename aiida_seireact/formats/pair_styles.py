"""The pair style of an MD run: the lines of an input that say which model, and of which element each type is.

Allegro runs in seireact-lmp and in a LAMMPS of its own; every other one needs a LAMMPS that was built with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aiida_seireact.formats import files

Kind = Literal["allegro", "mliap", "flare", "pace", "deepmd", "user"]
# Of each style: the file beside the input, and the kind of potential that it is.
MODEL_FILES: dict[str, str] = {
    "allegro": files.COMPILED,
    "mliap": "model.nequip.lmp.pt",
    "flare": "model.flare",
    "pace": "model.yace",
    "deepmd": "model.pb",
    "user": "model.potential",
}
POTENTIAL_KINDS: dict[str, str] = {
    "allegro": "allegro-compiled",
    "mliap": "nequip-mliap",
    "flare": "flare-coefficients",
    "pace": "pace",
    "deepmd": "deepmd",
    "user": "lammps-file",
}
SECOND_ZBL = (
    "an Allegro model of ours carries ZBL inside (`pair_potential` of its settings): a second one would count the "
    "repulsion of near atoms twice; remove it"
)


class PairSettings(BaseModel):
    """Which pair style computes the forces.

    ``flare`` takes no elements, and ``user`` names them itself: the atom types are all species of the potential, in its
    order. The others name the element of each type, and have those types that occur.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = Field("allegro", description="all but allegro need a LAMMPS of its own that was built with the style")
    style: str = Field("", description="user: what stands after `pair_style`, as `eam/alloy`")
    coefficients: list[str] = Field([], description="user: what stands after each `pair_coeff`")
    file: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="name that the potential's file gets; null: usual one",
    )

    @model_validator(mode="after")
    def _is_one_style(self) -> PairSettings:
        if self.kind != "user":
            if self.style or self.coefficients:
                raise ValueError(f"style and coefficients are for the kind user, not for {self.kind}")
            return self
        words = self.style.split()
        if not words:
            raise ValueError("the kind user needs a style, as `eam/alloy`")
        if words == ["allegro"]:
            raise ValueError("for an Allegro model take the kind allegro")
        if "allegro" in words and any(word.startswith("zbl") for word in words):
            raise ValueError(SECOND_ZBL)
        if any("\n" in line for line in (self.style, *self.coefficients)):
            raise ValueError("a style and each coefficient are one line")
        return self

    @property
    def model_file(self) -> str:
        """Name of the potential's file beside the input."""
        return self.file or MODEL_FILES[self.kind]

    def types_of(self, known: Sequence[str], present: Iterable[str]) -> list[str]:
        """Return the element of each atom type of a structure, in order.

        :param known: species of the model, in its order.
        :param present: species of the structure.
        """
        if self.kind in ("flare", "user"):
            return list(known)  # the file, or somebody, has counted the types
        there = set(present)
        return [symbol for symbol in known if symbol in there]

    def before_the_box(self) -> list[str]:
        """Return the lines that must come before the cell is read."""
        # Neighbours of neighbours are found by their ids.
        return ["atom_modify     map yes"] if self.kind in ("mliap", "deepmd") else []

    def lines(self, model: str, species: Sequence[str]) -> list[str]:
        """Return `pair_style` and `pair_coeff`.

        :param model: file beside the input.
        :param species: element of each LAMMPS type, in order.
        """
        names = " ".join(species)
        if self.kind == "user":
            given = [(f"pair_style      {self.style}"), *(f"pair_coeff      {line}" for line in self.coefficients)]
            return given
        style, coefficients = {
            "allegro": ("allegro", f"* * {model} {names}"),
            "mliap": (f"mliap unified {model} 0", f"* * {names}"),
            "flare": ("flare", f"* * {model}"),
            "pace": ("pace", f"* * {model} {names}"),
            "deepmd": (f"deepmd {model}", f"* * {names}"),
        }[self.kind]
        return [f"pair_style      {style}", f"pair_coeff      {coefficients}"]
