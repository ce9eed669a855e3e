"""The lines in the frame: what they ask for, and what they say of an honest model and of one that lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_seireact.formats.scorecard import ScorecardError, read_scorecard
from aiida_seireact.science.validation.dimers import zbl_energy
from aiida_seireact.science.validation.lines import Answer, AskedRun, Evidence, Labels, Line, Pair, Run
from aiida_seireact.science.validation.melting import two_phase_cell
from aiida_seireact.science.validation.targets import misses

COPPER = {"Cu": bulk("Cu", a=3.59, cubic=True)}


def scaled(atoms: Atoms, factor: float) -> Atoms:
    copy = atoms.copy()
    copy.set_cell(atoms.cell * factor, scale_atoms=True)
    return copy


def emt(atoms: Atoms) -> Labels:
    copy = atoms.copy()
    copy.calc = EMT()
    return Labels(copy.get_potential_energy(), copy.get_forces(), copy.get_stress())


def line(**settings: Any) -> Line:
    return read_scorecard({"lines": {"it": settings}}).lines["it"]


def shown(asked: Line, model: Callable[[Atoms], Labels], phases: Mapping[str, Atoms] = COPPER) -> Evidence:
    static = [
        Pair(one.subject, one.atoms, f"frame-{index}", emt(one.atoms), model(one.atoms))
        for index, one in enumerate(asked.static(phases))
    ]
    return Evidence(phases=phases, static=static)


def verdicts(asked: Line, evidence: Evidence) -> dict[str, str]:
    """Return by subject and quantity why a number misses its target, empty where it meets it."""
    return {f"{one.subject}: {one.quantity}": misses(one, asked.target) for one in asked.measure(evidence)}


# ---------------------------------------------------------------- energy against volume
def test_a_model_that_makes_copper_too_large_fails_by_its_volume() -> None:
    volume = line(test="eos", target={"relative": 0.02})
    assert verdicts(volume, shown(volume, emt)) == {"Cu: equilibrium volume": ""}
    swollen = lambda atoms: emt(scaled(atoms, 0.98))  # noqa: E731
    assert verdicts(volume, shown(volume, swollen)) == {"Cu: equilibrium volume": "it is too far from the labeller"}
    (number,) = volume.measure(shown(volume, swollen))
    assert number.value / number.reference == pytest.approx(0.98**-3, rel=1e-3)
    assert len(number.frames) == 3


def test_a_model_that_is_too_soft_fails_by_modulus_and_curve() -> None:
    soft = lambda atoms: replace(emt(atoms), energy=0.5 * emt(atoms).energy)  # noqa: E731
    for quantity, target in (("bulk_modulus", {"relative": 0.2}), ("curve", {"max": 2.0})):
        asked = line(test="eos", quantity=quantity, phases=["Cu"], target=target)
        assert set(verdicts(asked, shown(asked, emt)).values()) == {""}
        assert "" not in verdicts(asked, shown(asked, soft)).values()


def test_a_model_without_a_minimum_has_no_volume_and_says_so() -> None:
    asked = line(test="eos", target={"relative": 0.02})
    falling = lambda atoms: replace(emt(atoms), energy=-0.1 * atoms.get_volume())  # noqa: E731
    (number,) = asked.measure(shown(asked, falling))
    assert np.isnan(number.value)
    assert number.reference == pytest.approx(11.57, abs=0.05)
    assert number.note.startswith("the model's curve: ")


# ---------------------------------------------------------------- elastic constants
def test_elastic_constants_of_an_honest_and_of_a_soft_model() -> None:
    asked = line(test="elastic", phases=["Cu"], target={"relative": 0.1})
    assert verdicts(asked, shown(asked, emt)) == {"Cu: C11": "", "Cu: C12": "", "Cu: C44": ""}

    def soft(atoms: Atoms) -> Labels:
        found = emt(atoms)
        return replace(found, stress=found.stress * [1, 1, 1, 0.5, 0.5, 0.5])

    assert verdicts(asked, shown(asked, soft)) == {
        "Cu: C11": "",
        "Cu: C12": "",
        "Cu: C44": "it is too far from the labeller",
    }
    moduli = line(test="elastic", quantity="moduli", phases=["Cu"], target={"relative": 0.1})
    assert verdicts(moduli, shown(moduli, soft))["Cu: bulk modulus"] == ""
    assert verdicts(moduli, shown(moduli, soft))["Cu: shear modulus"] != ""


def test_a_model_that_lets_the_crystal_shear_by_itself_is_unstable() -> None:
    asked = line(test="elastic", quantity="stability", phases=["Cu"], target={"min": 0.0})
    assert set(verdicts(asked, shown(asked, emt)).values()) == {""}

    def sliding(atoms: Atoms) -> Labels:
        found = emt(atoms)
        return replace(found, stress=found.stress * [1, 1, 1, -0.2, -0.2, -0.2])

    assert set(verdicts(asked, shown(asked, sliding)).values()) == {"it is too small"}


def test_constants_are_measured_at_the_volume_that_is_asked_for() -> None:
    asked = line(test="elastic", phases=["Cu"], volume_ratio=0.9, target={"relative": 0.1})
    assert asked.static(COPPER)[0].atoms.get_volume() == pytest.approx(0.9 * COPPER["Cu"].get_volume())
    at_rest = line(test="elastic", phases=["Cu"], target={"relative": 0.1})
    dense, calm = (one.measure(shown(one, emt))[0] for one in (asked, at_rest))
    assert dense.value > 1.2 * calm.value


def test_a_labeller_without_stress_gives_no_constants_to_compare_with() -> None:
    asked = line(test="elastic", phases=["Cu"], target={"relative": 0.1})
    evidence = shown(asked, emt)
    blind = [replace(pair, reference=replace(pair.reference, stress=None)) for pair in evidence.static]
    numbers = asked.measure(replace(evidence, static=blind))
    assert {number.note.split(";")[0] for number in numbers} == {"the labeller gives no stress"}
    assert misses(numbers[0], asked.target) == "there is no number of the labeller"


# ---------------------------------------------------------------- molecular dynamics
LI = {"Li": bulk("Li", "bcc", a=3.5, cubic=True)}


def md_of(asked: AskedRun, path: Callable[[np.ndarray, np.random.Generator], np.ndarray], **changes: Any) -> Run:
    """Return a run of frames that ``path`` makes of the first positions."""
    rng = np.random.default_rng(len(asked.by))
    n_frames = asked.steps // asked.frames_every + 1
    first = asked.atoms.positions
    places = np.concatenate([first[None], path(np.repeat(first[None], n_frames - 1, axis=0), rng)])
    run = Run(
        name=asked.name,
        by=asked.by,
        numbers=asked.atoms.numbers,
        positions=places,
        cells=np.repeat(asked.atoms.cell.array[None], n_frames, axis=0),
        pbc=asked.atoms.pbc,
        steps=np.arange(n_frames) * asked.frames_every,
        timestep_fs=asked.timestep_fs,
        temperature_k=asked.temperature_k,
        pressure_gpa=asked.pressure_gpa,
        unwrapped=True,
        thermo={
            "step": np.arange(0.0, asked.steps, 10),
            "temp": np.full(-(-asked.steps // 10), asked.temperature_k),
            "econserve": np.zeros(-(-asked.steps // 10)),
        },
        stopped_by=None,
        frame_ids=tuple(f"{asked.name}/{index}" for index in range(n_frames)),
    )
    return replace(run, **changes)


def rattle(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return places + rng.normal(scale=0.12, size=places.shape)


def melt(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return places + np.cumsum(rng.normal(scale=0.25, size=places.shape), axis=0)


def ran(asked: Line, phases: Mapping[str, Atoms], *paths: Any, **changes: Any) -> Evidence:
    runs = [md_of(one, path, **changes) for one, path in zip(asked.runs(phases), paths, strict=True)]
    return Evidence(phases=phases, runs={run.name: run for run in runs})


def test_lithium_that_stays_a_crystal_passes_and_one_that_melts_is_caught() -> None:
    asked = line(test="stability", phases=["Li"], crystal=["Li"], steps=1000, frames_every=50)
    assert set(verdicts(asked, ran(asked, LI, rattle)).values()) == {""}
    molten = verdicts(asked, ran(asked, LI, melt))
    assert molten["Li at 300 K: crystal order over its limit"] == "it is too large"
    order = next(one for one in asked.measure(ran(asked, LI, melt)) if one.quantity.startswith("crystal"))
    assert "limit 0.25, first at step" in order.note
    assert order.frames[0].startswith("Li_300k_")


def test_a_crystal_that_expands_is_caught_with_the_frame_that_shows_it() -> None:
    asked = line(test="stability", phases=["Li"], steps=1000, frames_every=50)
    evidence = ran(asked, LI, rattle)
    (run,) = evidence.runs.values()
    growth = np.linspace(1, 1.12, 21)[:, None, None]
    swollen = replace(run, positions=run.positions * growth, cells=run.cells * growth)
    found = {one.quantity: one for one in asked.measure(replace(evidence, runs={run.name: swollen}))}
    volume = found["volume change over its limit"]
    assert misses(volume, asked.target) == "it is too large"
    assert volume.frames == (f"{run.name}/8",)  # (1 + 8·0.006)³ − 1 = 0.151
    assert volume.note == "0.405, limit 0.15, first at step 400"


def test_a_run_that_is_not_there_or_was_stopped_fails() -> None:
    asked = line(test="stability", phases=["Li"], steps=1000, frames_every=50)
    assert list(verdicts(asked, Evidence(phases=LI)).values()) == ["there is no number"]
    stopped = ran(asked, LI, rattle, stopped_by={"reason": "hole", "message": "hole: radius 4.71 Å"})
    ended = next(one for one in asked.measure(stopped) if one.quantity.startswith("ended"))
    assert (ended.value, ended.note) == (1000.0, "hole: radius 4.71 Å, first at step 1000")


def cut(evidence: Evidence, by: str, n_frames: int) -> Evidence:
    """Return the evidence with the runs of one of the two ended after so many frames, and nobody saying why."""
    runs = {
        name: replace(run, positions=run.positions[:n_frames], cells=run.cells[:n_frames], steps=run.steps[:n_frames])
        if run.by == by
        else run
        for name, run in evidence.runs.items()
    }
    return replace(evidence, runs=runs)


MD_LINES = [
    ({"test": "rdf", "steps": 2000, "target": {"max": 1.0}}, (rattle, rattle)),
    ({"test": "diffusion", "steps": 20000, "n_blocks": 2, "target": {"min": 1e-9}}, (melt,)),
    ({"test": "stability", "steps": 1000}, (rattle,)),
]


@pytest.mark.parametrize(("settings", "paths"), MD_LINES)
def test_a_run_that_is_stopped_or_shorter_than_asked_passes_no_line(settings: Any, paths: Any) -> None:
    asked = line(**settings, phases=["Li"], frames_every=50)
    whole = ran(asked, LI, *paths)
    assert set(verdicts(asked, whole).values()) == {""}
    stopped = ran(asked, LI, *paths, stopped_by={"reason": "hole", "message": "hole: radius 4.71 Å"})
    for evidence, why in ((stopped, "hole: radius 4.71 Å"), (cut(whole, "model", 19), f"of the {asked.steps} steps")):
        assert set(verdicts(asked, evidence).values()) != {""}
        assert any(why in number.note for number in asked.measure(evidence))


def test_a_run_of_the_labeller_that_is_cut_or_lost_frames_is_no_reference() -> None:
    asked = line(test="rdf", phases=["Li"], steps=2000, frames_every=50, target={"max": 1.0})
    whole = ran(asked, LI, rattle, rattle)
    (number,) = asked.measure(cut(whole, "labeller", 30))
    assert number.note == "of the labeller: the run has 1450 of the 2000 steps that were asked for"
    (name,) = (name for name, run in whole.runs.items() if run.by == "labeller")
    run, kept = whole.runs[name], [*range(10), *range(20, 41)]
    lost = replace(run, positions=run.positions[kept], cells=run.cells[kept], steps=run.steps[kept])
    (number,) = asked.measure(replace(whole, runs={**whole.runs, name: lost}))
    assert number.note == "of the labeller: the run has 31 of the 40 frames that were asked for"


def test_crystals_of_elements_that_are_not_there_are_refused_before_anything_runs() -> None:
    phases = {**LI, "LiCl": bulk("LiCl", "rocksalt", a=5.1)}
    with pytest.raises(ScorecardError, match="crystal has 'LI', which is no element"):
        line(test="stability", phases=["Li"], crystal=["LI"])
    for crystal, names, said in (
        (["S"], ["Li"], "crystal has S, which is not in Li"),
        (["Cl"], ["LiCl", "Li"], r"none of crystal \(Cl\) is in Li"),
    ):
        asked = read_scorecard({"lines": {"it": {"test": "stability", "phases": names, "crystal": crystal}}})
        with pytest.raises(ScorecardError, match=said):
            asked.runs(phases)


def test_a_cell_that_is_given_under_any_name_is_screened() -> None:
    interface = bulk("Li", "bcc", a=3.5, cubic=True) * (3, 3, 6)
    asked = line(test="stability", phases=["my interface"], steps=1000, frames_every=50, separation_max=1.0)
    (run,) = asked.runs({"my interface": interface})
    assert (len(run.atoms), run.name.startswith("my_interface_300k_")) == (108, True)
    assert set(verdicts(asked, ran(asked, {"my interface": interface}, rattle)).values()) == {""}


def test_limits_of_stability_are_its_targets() -> None:
    with pytest.raises(ScorecardError, match="change the limits"):
        line(test="stability", phases=["Li"], target={"max": 2.0})
    with pytest.raises(ScorecardError, match="names no phase"):
        line(test="stability", phases=[])


def test_structure_of_a_run_against_the_labellers() -> None:
    asked = line(test="rdf", phases=["Li"], steps=2000, frames_every=50, target={"max": 0.02, "sigmas": 1})
    assert [run.by for run in asked.runs(LI)] == ["model", "labeller"]
    assert {run.ensemble for run in asked.runs(LI)} == {"nvt"}
    assert verdicts(asked, ran(asked, LI, rattle, rattle)) == {"Li Li-Li: distance of g(r)": ""}
    assert verdicts(asked, ran(asked, LI, melt, rattle)) == {"Li Li-Li: distance of g(r)": "it is too large"}
    alone = line(test="rdf", phases=["Li"], pairs=["Li-S"], target={"max": 0.1})
    (number,) = alone.measure(ran(alone, LI, rattle, rattle))
    assert np.isnan(number.value)
    assert "no atom of atomic number 16" in number.note


def test_pairs_that_are_apart_in_both_runs_are_left_out_and_told_unless_they_are_asked_for() -> None:
    cell = Atoms("LiP", positions=[(0, 0, 0), (2.5, 0, 0)], cell=[7.0] * 3, pbc=True)
    phases, settings = {"salt": cell}, {"test": "rdf", "phases": ["salt"], "steps": 1000, "target": {"max": 0.1}}
    asked = line(**settings, r_max_ang=5.0, length_ang=7.0)
    still = lambda places, rng: places  # noqa: E731
    (number,) = asked.measure(ran(asked, phases, still, still))
    assert (number.subject, number.value) == ("salt Li-P", 0.0)
    assert number.note.endswith("; no Li-Li, P-P within 5 Å")
    named = line(**settings, r_max_ang=5.0, length_ang=7.0, pairs=["P-P"])
    assert set(verdicts(named, ran(named, phases, still, still)).values()) == {"there is no number"}
    # A pair that only the model has is a reaction, and not left out.
    wide = line(**settings, r_max_ang=5.0, length_ang=12.0)

    def collapse(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return places * 0.6

    found = verdicts(wide, ran(wide, phases, collapse, still))
    assert found["salt P-P: distance of g(r)"] == "it is too large"


def test_diffusion_of_a_run_and_none_of_one_that_only_rattles() -> None:
    settings = {"test": "diffusion", "phases": ["Li"], "temperature_k": 600.0, "steps": 20000, "frames_every": 100}
    asked = line(**settings, target={"min": 1e-6})

    def walk(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return places + np.cumsum(rng.normal(scale=np.sqrt(2 * 0.5 * 0.2), size=places.shape), axis=0)

    (number,) = asked.measure(ran(asked, LI, walk))
    # 0.5 Å²/ps; the centre of mass of 54 atoms is left out.
    assert number.value == pytest.approx(0.5e-4, rel=0.15)
    assert 0 < number.error < 0.1 * number.value
    (still,) = asked.measure(ran(asked, LI, rattle))
    assert np.isnan(still.value)
    assert still.note.startswith("the model's run shows no diffusion: its mean squared displacement is 0.0")
    both = line(**settings, ensemble="nvt", by_labeller=True, target={"relative": 0.3, "sigmas": 2})
    assert set(verdicts(both, ran(both, LI, walk, walk)).values()) == {""}
    with pytest.raises(ScorecardError, match="needs by_labeller"):
        line(**settings, target={"relative": 0.3})


def test_lines_that_want_the_same_run_share_it() -> None:
    same = {"phases": ["Li"], "temperature_k": 600.0, "ensemble": "nvt", "steps": 1000, "frames_every": 50}
    card = read_scorecard(
        {
            "lines": {
                "screens": {"test": "stability", **same},
                "structure": {"test": "rdf", **same, "target": {"max": 0.1}},
                "longer": {"test": "stability", **same, "steps": 2000},
            }
        }
    )
    names = {name: [run.name for run in runs] for name, runs in card.runs(LI).items()}
    assert names["screens"][0] == names["structure"][0] != names["longer"][0]


# ---------------------------------------------------------------- two atoms alone
def answers(asked: Line, curve: Callable[[float], float]) -> Evidence:
    """Return what a model of one pair curve says."""
    found = []
    for one in asked.alone(LI):
        apart = one.atoms.positions[1] - one.atoms.positions[0]
        r = float(np.linalg.norm(apart))
        slope = (curve(r + 1e-5) - curve(r - 1e-5)) / 2e-5
        force = -slope * apart / r
        found.append(Answer(one.subject, one.atoms, Labels(curve(r), np.array([-force, force]), None)))
    return Evidence(phases=LI, alone=found)


def test_a_model_that_lets_atoms_fall_into_each_other_fails_by_its_dimers() -> None:
    zbl = lambda r: float(zbl_energy("Li", "Li", r))  # noqa: E731
    hole = lambda r: zbl(r) - 40 * float(np.exp(-(((r - 1.0) / 0.1) ** 2)))  # noqa: E731
    settings = {"test": "dimers", "low_ang": 0.6}
    holes = line(**settings, target={"max": 0.0})
    pulls = line(**settings, quantity="pull", target={"max": 0.0})
    ratio = line(**settings, quantity="zbl", target={"min": 0.5, "max": 2.0})
    for asked, quantity in ((holes, "depth of a hole"), (pulls, "attraction"), (ratio, "energy over ZBL")):
        assert verdicts(asked, answers(asked, zbl)) == {f"Li-Li: {quantity}": ""}
    assert verdicts(holes, answers(holes, hole)) == {"Li-Li: depth of a hole": "it is too large"}
    assert verdicts(pulls, answers(pulls, hole)) == {"Li-Li: attraction": "it is too large"}
    assert verdicts(ratio, answers(ratio, lambda r: 1 / r)) == {"Li-Li: energy over ZBL": "it is too small"}
    (number,) = holes.measure(answers(holes, hole))
    assert number.note == "at 0.99 Å, nearer than 1.79 Å"
    (none,) = holes.measure(answers(holes, lambda r: float("nan")))
    assert (np.isnan(none.value), none.note) == (True, "some of the energies or forces are not numbers")


def test_dimers_are_of_all_pairs_of_the_phases_or_of_those_named() -> None:
    phases = {**LI, "LiCl": bulk("LiCl", "rocksalt", a=5.1)}
    asked = line(test="dimers", count=20, target={"max": 0.0}).alone(phases)
    assert [one.subject for one in asked[::20]] == ["Cl-Cl", "Cl-Li", "Li-Li"]
    assert asked[0].atoms.get_distance(0, 1) == pytest.approx(5.0)
    assert asked[19].atoms.get_distance(0, 1) == pytest.approx(0.6)
    assert {one.subject for one in line(test="dimers", pairs=["Li-S"], target={"max": 0}).alone(LI)} == {"Li-S"}
    with pytest.raises(ScorecardError, match="write as Li-S"):
        line(test="dimers", pairs=["LiS"], target={"max": 0})


# ---------------------------------------------------------------- melting
MELTING = {"test": "melting", "phase": "Li", "low_k": 350.0, "high_k": 600.0, "repeat": [4, 4, 8], "steps": 600}


def freeze(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    crystal = two_phase_cell(LI["Li"], (4, 4, 8)).atoms.positions
    return crystal + rng.normal(scale=0.2, size=places.shape)


def test_a_model_whose_lithium_melts_between_passes_and_one_that_never_melts_is_caught() -> None:
    asked = line(**MELTING, target={"min": 0.15})
    assert [(run.temperature_k, len(run.atoms), run.ensemble) for run in asked.runs(LI)] == [
        (350.0, 256, "npt"),
        (600.0, 256, "npt"),
    ]
    names = ("Li at 350 K: share won by the crystal", "Li at 600 K: share won by the melt")
    assert verdicts(asked, ran(asked, LI, freeze, melt)) == {names[0]: "", names[1]: ""}
    assert verdicts(asked, ran(asked, LI, freeze, freeze)) == {names[0]: "", names[1]: "it is too small"}
    assert verdicts(asked, ran(asked, LI, melt, melt)) == {names[0]: "it is too small", names[1]: ""}
    frozen, molten = asked.measure(ran(asked, LI, freeze, melt))
    assert (frozen.value, molten.value) == (0.5, pytest.approx(0.5, abs=0.1))
    assert frozen.note == "100% of the layers are crystalline at the end, 50% were at the start"


def test_a_run_of_melting_that_was_stopped_has_no_number() -> None:
    asked = line(**MELTING, target={"min": 0.15})
    stopped = asked.measure(ran(asked, LI, freeze, melt, stopped_by={"message": "volume: 1.41"}))
    assert {number.note for number in stopped} == {"the run was stopped: volume: 1.41"}
    assert set(verdicts(asked, Evidence(phases=LI)).values()) == {"there is no number"}
    with pytest.raises(ScorecardError, match="low_k is below high_k"):
        line(**{**MELTING, "low_k": 700.0}, target={"min": 0.15})
