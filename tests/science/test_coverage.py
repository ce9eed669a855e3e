"""The coverage of a training set counts what is there, and says in a sentence what is not."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.coverage import (
    NO_MD,
    Described,
    coverage_of,
    nearest_distances,
    principal_map,
    triangle_corners,
)
from aiida_seireact.science.structures import crystal


def described(rows: list[tuple[Atoms, str, str, str, float]]) -> Described:
    frames = Frames.from_atoms([atoms for atoms, *_ in rows])
    return Described(
        numbers=frames.numbers,
        positions=frames.positions,
        offsets=frames.offsets,
        cells=frames.cells,
        pbc=frames.pbc,
        config_type=np.array([f"{phase}-{kind}" for _, _, phase, kind, _ in rows]),
        frame_class=np.array([name for _, name, *_ in rows]),
        phase=np.array([phase for _, _, phase, _, _ in rows]),
        kind=np.array([kind for _, _, _, kind, _ in rows]),
        temperature_k=np.array([temperature for *_, temperature in rows]),
    )


NAN = float("nan")
ROWS = [
    (crystal("Li2S"), "bulk", "Li2S", "bulk", NAN),
    (crystal("Li2S"), "bulk", "Li2S", "bulk", NAN),
    (crystal("Li2S"), "bulk", "Li2S", "bulk", NAN),
    (crystal("Li3P"), "bulk", "Li3P", "rattle", NAN),
    (crystal("LiCl").repeat((2, 1, 1)), "amorphous", "LiCl", "melt_quench", 300.0),
]


@pytest.fixture(scope="module")
def told():
    return coverage_of(described(ROWS), species=["Cl", "In", "Li", "P", "S"], phases=["Li2S", "Li3P", "Li"])


def test_frames_and_environments_are_counted_by_class_phase_and_temperature(told):
    assert told["n_frames"] == 5
    assert told["n_environments"] == 3 * 12 + 8 + 16
    assert told["classes"]["bulk"] == {
        "frames": 4,
        "environments": 44,
        "environments_by_species": {"Li": 3 * 8 + 6, "P": 2, "S": 12},
    }
    assert told["classes"]["surface"]["frames"] == 0
    assert told["phases"]["Li2S"]["kinds"] == {"bulk": 3}
    assert told["phases"]["Li2S"]["volume_ang3_per_atom"] == pytest.approx([5.71**3 / 12] * 2)
    assert {name: row["frames"] for name, row in told["temperatures_k"].items()} == {"300": 1, NO_MD: 4}


def test_distances_to_the_nearest_are_those_of_the_crystal():
    found = nearest_distances(described(ROWS[:1]), ["Li", "S"])
    # antifluorite: 8 Li with S at (√3/4) a, 4 S with Li as far; Li–Li at a/2; S–S at a/√2
    assert found["Li-S"] == pytest.approx([np.sqrt(3) / 4 * 5.71] * 12)
    assert found["Li-Li"] == pytest.approx([5.71 / 2] * 8)
    assert found["S-S"] == pytest.approx([5.71 / np.sqrt(2)] * 4)


def test_histograms_hold_every_atom_that_has_a_neighbour(told):
    pairs = told["nearest_distances"]["pairs"]
    assert sum(pairs["Li-S"]["counts"]) == 3 * 12
    assert pairs["Li-S"]["least_ang"] == pytest.approx(np.sqrt(3) / 4 * 5.71)
    assert pairs["In-S"]["least_ang"] is None


def test_what_is_missing_is_said_in_sentences(told):
    missing = told["missing"]
    assert "No frame is a surface." in missing
    assert "No frame is an interface." in missing
    assert "No frame is amorphous." not in missing
    assert "No frame holds In." in missing
    assert "Li has no frame." in missing
    assert "Li3P has no strained frame." in missing
    assert not any(line.startswith("Li2S has no") for line in missing)
    assert "No pair In–S is within 6 Å." in missing
    assert "No pair Li–S is below 2.33 Å, where the atoms touch; the closest is 2.47 Å." in missing
    assert "Li3P-rattle has 1 frame: training, validation and test need one each." in missing
    assert not any("MD" in line for line in missing)


def test_a_set_without_md_says_so_and_what_was_left_out_is_said_once():
    lines = coverage_of(described(ROWS[:4]), species=["Li"], left_out=["Dimers are left out: no reason."])["missing"]
    assert "No frame comes of MD: all are drawn, none is at a temperature." in lines
    assert [line for line in lines if "imer" in line] == ["Dimers are left out: no reason."]


def test_compositions_are_told_with_their_fractions(told):
    rows = {row["formula"]: row for row in told["compositions"]}
    assert rows["Li2S"]["frames"] == 3
    assert rows["Li2S"]["fractions"] == pytest.approx({"Cl": 0, "In": 0, "Li": 2 / 3, "P": 0, "S": 1 / 3})


@pytest.mark.parametrize(
    ("species", "corners"),
    [
        (["Cl", "Li", "P", "S"], [["Li"], ["P"], ["S", "Cl"]]),
        (["Cl", "In", "Li"], [["Li"], ["In"], ["Cl"]]),
        (["Li", "S"], None),
    ],
)
def test_a_triangle_stands_on_metal_cation_and_anions(species, corners):
    assert triangle_corners(species) == corners


def test_a_map_keeps_distances_in_a_plane_and_is_not_mirrored():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(20, 2)) * [3.0, 1.0]
    turned, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    points = np.concatenate([flat, np.zeros((20, 4))], axis=1) @ turned
    places, parts = principal_map(points)
    assert sum(parts) == pytest.approx(1.0)
    for one, other in ((0, 1), (3, 17)):
        assert np.linalg.norm(places[one] - places[other]) == pytest.approx(np.linalg.norm(flat[one] - flat[other]))
    assert principal_map(np.ones((3, 4)))[1] == [0.0, 0.0]
