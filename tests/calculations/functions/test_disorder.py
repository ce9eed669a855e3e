"""Ensembles, orderings and defects in the graph: from their parameters alone, cached, and small."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.manage.caching import enable_caching
from ase import Atoms

from aiida_seireact.calculations.functions.disorder import defects, distinct_orderings, ensemble
from aiida_seireact.data.frames import FramesData
from aiida_seireact.science.structures import crystal

pytestmark = pytest.mark.usefixtures("aiida_profile_clean")
MIXED = {
    "name": "Li2S", "occupancies": {"S": {"S": 0.75, "P": 0.125, "Cl": 0.125}}, "charges": {"P": -3, "Cl": -1},
}  # fmt: skip
ENSEMBLE = {"phase": {"name": "Li6PS5Cl"}, "number": 4, "seed": 2, "rank": "ewald", "keep": 2}


def host(name: str = "Li2S", repeat: int = 1) -> FramesData:
    atoms: Atoms = crystal(name).repeat(repeat)
    atoms.info.update(config_type=name, group=f"cell/{name}")
    return FramesData.from_ase([atoms])


def test_the_same_question_is_answered_from_the_cache() -> None:
    with enable_caching(identifier="aiida_seireact.calculations.functions.disorder.*"):
        first, node = ensemble.run_get_node(orm.Dict(ENSEMBLE))
        second, again = ensemble.run_get_node(orm.Dict(ENSEMBLE))
        _, other = ensemble.run_get_node(orm.Dict({**ENSEMBLE, "seed": 3}))
    assert not node.base.caching.is_created_from_cache
    assert again.base.caching.is_created_from_cache
    assert not other.base.caching.is_created_from_cache
    assert first["frames"].content_hash == second["frames"].content_hash
    assert first["frames"].creator.pk == node.pk
    report = first["report"].get_dict()
    assert report["frame_ids"] == first["frames"].frames.frame_ids
    assert [row["kept"] for row in report["rows"]] == [True, True, False, False]


def test_orderings_of_the_interphase() -> None:
    made = distinct_orderings(orm.Dict({"phase": MIXED, "supercell": [2, 2, 2], "primitive": True}))
    assert sorted(row["degeneracy"] for row in made["report"]["rows"]) == [8, 48]
    assert made["frames"].base.attributes.get("formulas") == ["ClLi16PS6"]


def test_defects_hang_on_their_host() -> None:
    cells = host()
    made, node = defects.run_get_node(orm.Dict({"vacancies": {"Li": 1}, "number": 2}), cells)
    assert node.inputs.cells.uuid == cells.uuid
    assert made["frames"].frames.parent_id.tolist() == cells.frames.frame_ids * 2
    alone = defects(orm.Dict({"phase": {"name": "Li6PS5Cl"}, "antisites": {"S:Cl": 1}, "neutral": True}))
    assert alone["report"]["rows"][0]["charge_e"] == 0


@pytest.mark.parametrize(
    ("function", "parameters", "said"),
    [
        (ensemble, {**ENSEMBLE, "keep": None, "number": 2000}, "have 104,000 atoms together, .* by `seireact.build`"),
        (ensemble, {**ENSEMBLE, "repeat": [3, 3, 2]}, "over 1,368 sites, and up to 700 .* `seireact.build`"),
        (ensemble, {**ENSEMBLE, "sed": 1}, "sed: Extra inputs are not permitted"),
        (
            distinct_orderings,
            {"phase": MIXED, "supercell": [2, 2, 2]},
            "at most 20,000 are sorted.* inside the profile",
        ),
        (
            distinct_orderings,
            {"phase": MIXED, "supercell": [2, 2, 2], "max_arrangements": 50},
            "at most 50 are sorted: .* an ensemble instead$",
        ),
        (defects, {"phase": {"name": "LiCl"}, "vacancies": {"Li": 1}, "number": 20_000}, "have 160,000 atoms"),
        (defects, {"vacancies": {"Li": 1}}, "need a host"),
    ],
)
def test_what_does_not_belong_into_the_graph_is_refused(function: Any, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        function(orm.Dict(parameters))


def test_all_orderings_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"phase": MIXED, "supercell": [2, 2, 2], "primitive": True}
    monkeypatch.setattr("aiida_seireact.formats.small.MAX_ATOMS", 47)
    with pytest.raises(ValueError, match="have 48 atoms together, and up to 47"):
        distinct_orderings(orm.Dict(parameters))
