"""The opening of an input for each pair style, word by word: those that can't run here are checked by these files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aiida_seireact.formats.lammps_input import lammps_input
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.pair_styles import MODEL_FILES, POTENTIAL_KINDS, PairSettings

GOLDEN = Path(__file__).parent / "pair_styles"
SPECIES = ["Li", "P", "S", "Cl"]
USER = {"style": "eam/alloy", "coefficients": ["* * NiAlH.eam.alloy Ni Al H"], "file": "NiAlH.eam.alloy"}


@pytest.mark.parametrize("kind", list(MODEL_FILES))
def test_opening_is_the_golden_one(kind: str) -> None:
    settings = MdSettings.model_validate({"pair": {"kind": kind, **(USER if kind == "user" else {})}})
    text = lammps_input(settings, species=SPECIES, model=settings.pair.model_file)
    opening = text[: text.index("\nthermo ")]
    assert opening == (GOLDEN / f"{kind}.lammps").read_text(encoding="utf-8")


def test_each_style_loads_a_kind_of_its_own() -> None:
    assert set(POTENTIAL_KINDS) == set(MODEL_FILES)
    assert len(set(POTENTIAL_KINDS.values())) == len(POTENTIAL_KINDS)


def test_types_are_those_that_occur_unless_the_file_counts_them() -> None:
    assert PairSettings(kind="pace").types_of(SPECIES, {"S", "Li"}) == ["Li", "S"]
    assert PairSettings(kind="flare").types_of(SPECIES, {"S", "Li"}) == SPECIES


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"kind": "user"}, "needs a style"),
        ({"kind": "user", "style": "allegro"}, "take the kind allegro"),
        ({"kind": "pace", "style": "pace product"}, "are for the kind user, not for pace"),
        ({"kind": "user", "style": "hybrid/overlay allegro zbl 1.0 2.0"}, "carries ZBL inside"),
        ({"kind": "reaxff"}, "allegro"),
        ({"kind": "user", "style": "lj/cut 6\nshell rm"}, "are one line"),
        ({"file": "../elsewhere"}, "pattern"),
    ],
)
def test_what_is_no_style_is_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        PairSettings.model_validate(given)
