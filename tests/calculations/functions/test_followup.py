"""What the follow-up gathers: diffusion as an analysis tells it, and parts that are not there."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm

from aiida_seireact.calculations.functions.followup import diffusion_of, gather, orderings_of, place_on_hull
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.followup import FollowUpSettings, make_orderings, md_cell

FOUND = {"composition": "Li2S0.75P0.125Cl0.125", "parent": "Li2S", "temperatures_k": [0.0, 300.0]}
PHASES = {"Li": -1.9, "P": -5.4, "S": -4.0, "Cl": -1.8, "Li2S": -12.0, "Li3P": -14.0, "LiCl": -7.4}
DIFFUSES = {
    "regime": "diffusive", "d_cm2_per_s": 4e-9, "error_cm2_per_s": 2e-10, "interval_95_cm2_per_s": [3.4e-9, 4.6e-9],
    "below_cm2_per_s": 4.5e-9,
}  # fmt: skip


@pytest.fixture(scope="module")
def followed(aiida_profile: Any) -> dict[str, orm.Data]:
    """Return parameters, report and stability of orderings whose energies are made up."""
    parameters = orm.Dict(FOUND)
    made = orderings_of(parameters)
    images = [atoms.copy() for atoms in made["frames"].frames.iter_atoms()]
    from ase.calculators.singlepoint import SinglePointCalculator

    for index, atoms in enumerate(images):
        energy = -12.0 * 6 - 14.0 - 7.4 + 0.6 + 0.024 * index
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=atoms.positions * 0, stress=[0.0] * 6)
    orderings = FramesData.from_ase(images, labels="required", settings_hash="a" * 64).store()
    entries = [{"formula": name, "energy_ev": energy, "level": "a" * 64} for name, energy in PHASES.items()]
    stability = place_on_hull(parameters, made["report"], orderings, entries=orm.Dict({"entries": entries}))
    return {"parameters": parameters, "report": made["report"], "stability": stability, "orderings": orderings}


def gathered(followed: dict[str, orm.Data], **parts: orm.Data) -> dict[str, Any]:
    given = {name: followed[name] for name in ("parameters", "report", "stability")}
    found: dict[str, Any] = gather(**given, **parts).get_dict()
    return found


def test_the_place_above_the_hull_is_the_one_made_up(followed):
    # Six Li2S, one Li3P and one LiCl are 24 atoms: 0.6 eV above them are 25 meV/atom.
    found = gathered(followed)["stability"]
    assert found["above_hull_mev_per_atom"] == pytest.approx(25.0)
    assert [row["above_lowest_mev_per_atom"] for row in found["orderings"]] == pytest.approx([0, 1, 2, 3])
    cold, warm = found["temperatures"]
    assert cold["ensemble"]["above_hull_mev_per_atom"] == pytest.approx(25.0)
    assert cold["ideal"]["ts_mev_per_atom"] == 0
    assert warm["ensemble"]["above_hull_mev_per_atom"] < 25.0


def test_an_ordering_without_an_energy_is_named(followed):
    fewer = FramesData(followed["orderings"].frames.select([0, 1, 3]))
    with pytest.raises(ValueError, match="no energy of Li2S0.75P0.125Cl0.125 ordering 3"):
        place_on_hull(followed["parameters"], followed["report"], fewer, entries=orm.Dict({"entries": []}))


def hull(**changed: Any) -> orm.Dict:
    """Return the entries of the hull, some of them changed."""
    entries = [{"formula": name, "energy_ev": energy, "level": "a" * 64} for name, energy in PHASES.items()]
    return orm.Dict({"entries": [{**one, **changed.get(one["formula"], {})} for one in entries]})


def test_a_hull_entry_that_is_missing_is_named(followed):
    given = (followed["parameters"], followed["report"], followed["orderings"])
    with pytest.raises(ValueError, match="no energy of the element Cl"):
        place_on_hull(*given, entries=hull(Cl={"formula": "LiCl"}))
    # Of a compound the library knows that it is missing; without it the composition seems better than it is.
    found = place_on_hull(*given, entries=hull(LiCl={"formula": "Li2S"}))
    assert found["above_hull_mev_per_atom"] < followed["stability"]["above_hull_mev_per_atom"]
    assert "LiCl" in found["missing_phases"]
    assert any("The hull lacks" in remark and "LiCl" in remark for remark in found["remarks"])


def test_one_energy_of_another_level_is_enough_to_refuse_all(followed):
    with pytest.raises(ValueError, match="2 levels of theory"):
        place_on_hull(
            followed["parameters"], followed["report"], followed["orderings"], entries=hull(Li={"level": "b" * 64})
        )


@pytest.mark.parametrize(
    ("row", "is_conductor", "words"),
    [
        (DIFFUSES, True, "A conductor: D is 4.0e-09 cm²/s, the conductivity 1.1e-03 S/cm"),
        ({"regime": "confined", "d_cm2_per_s": 1e-9, "below_cm2_per_s": 1e-11}, False, "No conductor: no diffusion"),
        ({"regime": "undecided", "d_cm2_per_s": 1e-9, "below_cm2_per_s": 1e-8}, None, "The run can't tell"),
        ({}, None, "Nobody can say"),
    ],
)
def test_diffusion_becomes_a_sentence_with_its_bars(followed, row, is_conductor, words):
    settings = FollowUpSettings.model_validate(FOUND)
    cell = FramesData(md_cell(settings, make_orderings(settings).frames, 0))
    md = orm.Dict({"md": {"temperature_k": 300.0, "steps": 10, "timestep_fs": 2.0}})
    analysis = orm.Dict({"diffusion": {"Li": row}} if row else {})
    found = gathered(followed, analysis=analysis, cell=cell, md=md)["diffusion"]
    assert found["is_conductor"] is is_conductor
    assert words in found["sentence"]
    assert found["n_atoms"] == 1536
    assert (found["d_cm2_per_s"] is None) is (row.get("regime") != "diffusive")


def test_what_is_no_diffusion_has_no_coefficient():
    assert diffusion_of({"diffusion": {"Li": {**DIFFUSES, "regime": "subdiffusive"}}}, "Li")["d_cm2_per_s"] is None
    assert diffusion_of({}, "Li")["below_cm2_per_s"] is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"gap_ev": 1.7, "metallic": False, "remark": ""}, "x: 1.70 eV."),
        ({"gap_ev": 0.0, "metallic": True, "remark": "metallic: bands overlap"}, "x: metallic: bands overlap."),
        ({"gap_ev": None, "metallic": None, "remark": "its job failed"}, "x: no gap, its job failed."),
    ],
)
def test_a_gap_becomes_a_sentence(followed, row, words):
    found = gathered(followed, gaps=orm.Dict({"program": "pw.x", "gaps": [{"name": "x", **row}]}))
    assert found["gap"]["sentence"] == words
    assert found["sentences"][-1] == words


def test_cells_that_are_not_relaxed_are_named(followed):
    reports = {"failures": [], "reports": [{"index": 2, "converged": False}, {"index": 0, "converged": True}]}
    found = gathered(followed, orderings=followed["orderings"], orderings_failures=orm.Dict(reports))
    assert any("a little too high: Li2S0.75P0.125Cl0.125 ordering 3;" in remark for remark in found["remarks"])


def test_what_failed_is_named_and_the_rest_is_told(followed):
    settings = FollowUpSettings.model_validate(FOUND)
    cell = FramesData(md_cell(settings, make_orderings(settings).frames, 0))
    whole = gathered(followed)
    found = gathered(followed, md=orm.Dict({"md": {}}), cell=cell, gap_engine=orm.Str("seireact.gap.qe"))
    assert whole["failed"] == []
    assert found["failed"] == ["gap", "md"]
    assert (found["diffusion"], found["gap"]) == (None, None)
    assert found["sentences"] == whole["sentences"]
    assert "There is no band gap: its calculation by seireact.gap.qe failed." in found["remarks"]
    assert "Whether Li moves is not known: the MD of 1,536 atoms, or its analysis, failed." in found["remarks"]
