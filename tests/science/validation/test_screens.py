from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from aiida_seireact.science.order import peaks_of
from aiida_seireact.science.validation.lines import Evidence, Run
from aiida_seireact.science.validation.screens import StabilityLimits, like_neighbours, screens_of
from aiida_seireact.science.validation.stability import Stability

LIMITS = StabilityLimits()


def sound_run(n_frames: int = 11, unit=None, temperature_k: float = 300.0) -> Run:
    """A crystal that rattles, frames 50 fs apart."""
    atoms = (unit or bulk("Li", "bcc", a=3.5, cubic=True)) * (4, 4, 4)
    rng = np.random.default_rng(2)
    places = atoms.positions + rng.normal(scale=0.15, size=(n_frames, len(atoms), 3))
    places[0] = atoms.positions
    rows = 10 * n_frames
    return Run(
        name="md",
        by="model",
        numbers=atoms.numbers,
        positions=places,
        cells=np.repeat(atoms.cell.array[None], n_frames, axis=0),
        pbc=np.ones(3, dtype=bool),
        steps=np.arange(n_frames) * 25,
        timestep_fs=2.0,
        temperature_k=temperature_k,
        pressure_gpa=0.0,
        unwrapped=True,
        thermo={
            "step": np.arange(rows) * 5.0,
            "temp": temperature_k + rng.normal(scale=20, size=rows),
            "econserve": np.zeros(rows),
        },
        stopped_by=None,
        frame_ids=tuple(f"frame-{index}" for index in range(n_frames)),
    )


def screens(run: Run, **keywords):
    return {screen.name: screen for screen in screens_of(run, LIMITS, **keywords)}


def broken(run: Run, **keywords) -> list[str]:
    return [name for name, screen in screens(run, **keywords).items() if not screen.over <= 1]


def test_a_sound_run_breaks_nothing() -> None:
    run = sound_run()
    unit = bulk("Li", "bcc", a=3.5, cubic=True)
    crystal = (np.ones(len(run.numbers), dtype=bool), peaks_of(unit, (4, 4, 4)))
    assert broken(run, crystal=crystal) == []
    found = screens(run, crystal=crystal)
    assert found["crystal order"].value == pytest.approx(np.exp(-2 * (2 * np.pi / 3.5) ** 2 * 0.15**2), abs=0.06)
    assert found["smallest distance"].value > 2


def test_a_crystal_that_expands_is_caught_at_its_frame() -> None:
    run = sound_run()
    growth = np.linspace(1, 1.1, 11)[:, None, None]
    found = screens(replace(run, positions=run.positions * growth, cells=run.cells * growth))
    assert found["volume change"].value == pytest.approx(0.331)
    assert found["volume change"].over > 1
    assert found["volume change"].first_frame == 5  # 1.05³ − 1 = 0.158


def test_a_ballistic_atom_is_caught() -> None:
    run = sound_run()
    places = run.positions.copy()
    places[7:, 5] += 9.0  # 9 Å in 50 fs
    found = screens(replace(run, positions=places))
    assert found["fastest atom"].first_frame == 7
    assert found["fastest atom"].value > 10


def test_a_void_and_a_collision_are_caught() -> None:
    run = sound_run()
    places = run.positions.copy()
    centre = np.diag(run.cells[0]) / 2
    for frame in range(6, 11):
        away = places[frame] - centre
        near = np.linalg.norm(away, axis=1) < 5.0
        places[frame][near] = centre + away[near] / np.linalg.norm(away[near], axis=1)[:, None] * 5.0
    found = screens(replace(run, positions=places))
    assert found["largest hole"].first_frame == 6
    assert found["largest hole"].value == pytest.approx(5.0, abs=0.5)
    places = run.positions.copy()
    places[9, 0] = places[9, 1] + 0.5
    found = screens(replace(run, positions=places))
    assert found["smallest distance"].first_frame == 9
    assert found["smallest distance"].over == pytest.approx(1.5 / 0.866, abs=0.01)


def test_a_molten_crystal_is_caught_though_nothing_else_is() -> None:
    run = sound_run()
    rng = np.random.default_rng(8)
    slow_melt = np.cumsum(rng.normal(scale=0.2, size=run.positions.shape), axis=0)
    unit = bulk("Li", "bcc", a=3.5, cubic=True)
    limits = replace(LIMITS, distance_min_ang=0.1, hole_radius_max_ang=9.0)
    peaks = peaks_of(unit, (4, 4, 4))
    found = screens_of(
        replace(run, positions=run.positions[:1] + slow_melt), limits, crystal=(np.ones(128, dtype=bool), peaks)
    )
    assert [screen.name for screen in found if screen.over > 1] == ["crystal order"]


def test_runaways_of_temperature_and_energy_are_caught() -> None:
    run = sound_run(n_frames=22)
    hot = dict(run.thermo)
    hot["temp"] = np.where(run.thermo["step"] >= 300, 800.0, 300.0)
    found = screens(replace(run, thermo=hot))
    assert found["temperature"].over > 1
    assert run.steps[found["temperature"].first_frame] == 325
    one_spike = dict(run.thermo, temp=np.where(run.thermo["step"] == 300, 900.0, 300.0))
    assert screens(replace(run, thermo=one_spike))["temperature"].over < 1
    # 2 meV an atom and ps
    leaking = dict(run.thermo, econserve=run.thermo["step"] * 2e-3 * 2e-3 * len(run.numbers))
    assert screens(replace(run, thermo=leaking))["energy drift"].value == pytest.approx(2.0)


def test_phases_that_part_are_caught() -> None:
    run = sound_run(unit=bulk("NaCl", "rocksalt", a=5.6, cubic=True))
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (4, 4, 4)
    heights = np.argsort(np.argsort(atoms.positions[:, 2], kind="stable"))
    parted = np.where(heights < len(atoms) // 2, 11, 17)
    positions = run.positions[0]
    assert like_neighbours(atoms.numbers, positions, run.cells[0]) == pytest.approx(0.0, abs=0.15)
    assert like_neighbours(parted, positions, run.cells[0]) > 0.5
    assert like_neighbours([3] * 2, [[0, 0, 0], [2, 2, 2]], np.eye(3) * 4) == 0.0
    # The same atoms, each moved to the half of its element.
    order = np.argsort(parted, kind="stable")[np.argsort(np.argsort(atoms.numbers, kind="stable"), kind="stable")]
    places = run.positions.copy()
    places[8:] = positions[order]
    found = screens(replace(run, positions=places, unwrapped=False))
    assert found["phase separation"].first_frame == 8


def test_a_run_that_the_stop_rule_ended_and_one_that_is_nan_fail() -> None:
    run = sound_run()
    stopped = screens(replace(run, stopped_by={"reason": "hole", "message": "hole: radius 5.00 Å"}))["ended early"]
    assert (stopped.over, stopped.first_frame, stopped.note) == (np.inf, 10, "hole: radius 5.00 Å")
    assert "temperature" in broken(replace(run, thermo=dict(run.thermo, temp=np.full(110, np.nan))))


def test_a_drift_that_can_not_be_told_is_not_left_out() -> None:
    run = sound_run()
    short = {name: values[:50] for name, values in run.thermo.items()}
    bare = {name: values for name, values in run.thermo.items() if name != "econserve"}
    for thermo in (short, bare, {}):
        found = screens(replace(run, thermo=thermo))["energy drift"]
        assert np.isnan(found.over)
        assert "over 1 ps: run longer, or set drift_max_mev_per_atom_per_ps to null" in found.note
    unasked = replace(LIMITS, drift_max_mev_per_atom_per_ps=None)
    assert "energy drift" not in {screen.name for screen in screens_of(replace(run, thermo=short), unasked)}


def test_frames_that_do_not_follow_atoms_have_no_speeds() -> None:
    found = screens(replace(sound_run(), unwrapped=False))["fastest atom"]
    assert np.isnan(found.over)
    assert "follow" in found.note


def test_a_run_that_is_handed_in_is_asked_for_by_its_name() -> None:
    line = Stability(handed_in=("interface", "interface_2"))
    assert [(run.name, run.atoms) for run in line.runs({})] == [("interface", None), ("interface_2", None)]
    found = line.measure(Evidence())
    assert [one.subject for one in found] == ["interface", "interface_2"]
    assert all(np.isnan(one.value) for one in found)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"handed_in": ("inter face",)}, "letters and digits"),
        ({"handed_in": ("inter__face",)}, "single underscores"),
        ({"handed_in": ("interface",), "crystal": ("Li",)}, "no crystal to compare with"),
        ({}, "phases names no phase"),
    ],
)
def test_what_can_not_be_looked_at_is_refused(parameters: dict[str, tuple[str, ...]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Stability(**parameters)  # type: ignore[arg-type]
