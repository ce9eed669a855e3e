"""seireact-sample: every kind of frame is drawn with its class, seeded by its name; a budget takes the unlike ones."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.sample import SamplePlan, default_plan
from aiida_seireact.programs import sample
from aiida_seireact.programs._draw import Cells, draw_melt_starts, draw_pool, repeated, species_of
from aiida_seireact.science.sampling import SamplingPlan, sample_frames
from aiida_seireact.science.structures import crystal

from .conftest import call

EVERY_KIND: list[dict[str, Any]] = [
    {"kind": "bulk", "of": "Li2S", "count": 4},
    {"kind": "strain", "of": "Li2S", "count": 3},
    {"kind": "rattle", "of": "Li2S", "count": 4, "amplitudes_ang": [0.02, 0.2]},
    {"kind": "vacancy", "of": "Li2S", "species": "Li", "count": 3},
    {"kind": "interstitial", "of": "Li2S", "species": "Li", "count": 3},
    {"kind": "surface", "of": "Li", "count": 3, "miller": [[1, 0, 0]]},
    {"kind": "interface", "of": "pair", "count": 3, "name": "pair"},
    {"kind": "boundary", "of": "pair", "count": 3},
    {"kind": "amorphous", "of": "Li3P", "count": 3},
    {"kind": "amorphous", "composition": "Li3PS4", "density_g_per_cm3": [1.6, 1.9], "count": 3},
    {"kind": "dimer", "pairs": ["Li-S", "P-S"], "count": 5},
    {"kind": "isolated_atom"},
]


@pytest.fixture
def pair() -> Atoms:
    atoms = Atoms(
        "Li4S4", positions=[[0, 0, 2.6 * z] for z in range(8)] + np.array([0.3, 0.2, 0]), cell=[4, 4, 22], pbc=True
    )
    atoms.info.update(config_type="pair", group="pair")
    return atoms


@pytest.fixture
def folder(tmp_path: Path, pair: Atoms) -> Path:
    Frames.from_atoms([pair]).save(tmp_path / "cells.npz")
    return tmp_path


def pool_of(classes: list[dict[str, Any]], *, seed: int = 1, cells: Cells | None = None, **kwargs: Any):
    return draw_pool(SamplePlan.model_validate({"seed": seed, "classes": classes}), cells or Cells(), **kwargs)


def hashes(pool) -> dict[str, str]:
    images = [drawn.atoms for drawn in pool.frames]
    types = dict.fromkeys(atoms.info["config_type"] for atoms in images)
    return {
        name: Frames.from_atoms([a for a in images if a.info["config_type"] == name]).content_hash for name in types
    }


def test_every_kind_gives_its_frames_their_class_and_what_they_cover(folder: Path) -> None:
    job = {"plan": {"seed": 1, "classes": EVERY_KIND}, "cells": "cells.npz", "labeller": "emt"}
    status, result, progress = call(sample.main, folder, job)
    assert status == 0, result
    frames, atoms = Frames.load(folder / "sampled.npz"), Frames.load(folder / "isolated_atoms.npz")
    assert Counter(frames.config_type.tolist()) == {
        "Li2S": 4, "Li2S-strain": 3, "Li2S-rattle": 4, "Li2S-vacancy": 3, "Li2S-interstitial": 3, "Li-surface": 3,
        "pair": 3, "pair-boundary": 3, "Li3P-amorphous": 3, "Li3PS4-amorphous": 3, "dimer-Li-S": 5, "dimer-P-S": 5,
    }  # fmt: skip
    coverage = result["outputs"]["coverage"]
    counted = {name: row["frames"] for name, row in coverage["classes"].items()}
    assert counted == {
        "bulk": 17, "surface": 3, "boundary": 3, "interface": 3, "amorphous": 6, "dimer": 10, "atom": 3,
    }  # fmt: skip
    assert atoms.species == ["Li", "P", "S"]
    assert "42 frames drawn, 3 isolated atoms" in progress
    assert not any(line.startswith("No frame is") for line in coverage["missing"])
    assert len(set(frames.group.tolist())) == len(frames)


def test_the_rows_tell_of_each_frame_what_it_is(folder: Path) -> None:
    job = {"plan": {"seed": 1, "classes": EVERY_KIND[:-1], "budget": 30}, "cells": "cells.npz"}
    status, result, _ = call(sample.main, folder, job)
    assert status == 0, result
    frames = Frames.load(folder / "sampled.npz")
    with np.load(folder / "selection.npz", allow_pickle=False) as rows:
        assert [rows["frame_ids"][i] for i in np.flatnonzero(rows["chosen"])] == frames.frame_ids
        by_type = dict(zip(rows["config_type"].tolist(), rows["frame_class"].tolist(), strict=True))
        assert by_type["pair"] == "interface"
        assert by_type["Li3PS4-amorphous"] == "amorphous"
        assert rows["map"].shape == (42, 2)
    assert result["outputs"]["choice"]["n_chosen"] == len(frames) == 30


def test_a_budget_takes_the_most_unlike_frames_and_some_of_each_type(tmp_path: Path) -> None:
    # 20 rattled by a breath and two by a lot: with a budget of 5 both are taken, whatever the seed.
    quiet = {"kind": "rattle", "of": "Li2S", "count": 22, "amplitudes_ang": [0.001] * 10 + [0.3]}
    plan = {"classes": [quiet, {"kind": "bulk", "of": "LiCl", "count": 22}], "budget": 10}
    for seed in (1, 2):
        status, result, _ = call(sample.main, tmp_path, {"plan": {**plan, "seed": seed}})
        assert status == 0, result
        frames = Frames.load(tmp_path / "sampled.npz")
        assert Counter(frames.config_type.tolist()) == {"Li2S-rattle": 5, "LiCl": 5}
        assert {f"Li2S-rattle-s{seed}-{number:04d}" for number in (10, 21)} <= set(frames.group.tolist())


def test_the_study_of_the_demo_gives_the_very_frames_of_its_own_plan(tmp_path: Path) -> None:
    few = {name: {"count": 1} for name in ("li", "li_slab", "li6ps5cl", "li2s")} | {"interface": {"count": 2}}
    few |= {name: {"count": 0} for name in ("li_expanded", "interface_expanded", "li3p", "licl")}
    known = Frames.from_atoms(sample_frames(SamplingPlan.from_dict({"seed": 1, **few}))).content_hash
    for plan in ({"seed": 1, **few}, {"seed": 1, "study": few}):
        status, result, _ = call(sample.main, tmp_path, {"plan": plan})
        assert status == 0, result
        assert Frames.load(tmp_path / "sampled.npz").content_hash == known
    more = {"seed": 1, **few, "classes": [{"kind": "bulk", "of": "Li3P"}]}
    call(sample.main, tmp_path, {"plan": more})
    assert Frames.load(tmp_path / "sampled.npz").select(range(6)).content_hash == known


def test_another_entry_changes_no_frame_of_the_others() -> None:
    entries = [{"kind": "bulk", "of": "Li2S", "count": 3}, {"kind": "amorphous", "of": "LiCl", "count": 2}]
    alone, more = hashes(pool_of(entries[1:])), hashes(pool_of([*entries, {"kind": "strain", "of": "Li"}]))
    assert more["LiCl-amorphous"] == alone["LiCl-amorphous"]
    assert hashes(pool_of(entries, seed=2))["Li2S"] != more["Li2S"]


def test_dimers_and_atoms_are_left_out_and_said_where_the_labeller_has_none() -> None:
    entries = [{"kind": "bulk", "of": "Li2S"}, {"kind": "dimer"}, {"kind": "isolated_atom"}]
    pool = pool_of(entries, labeller="chgnet")
    assert {drawn.kind for drawn in pool.frames} == {"bulk"}
    assert not pool.atoms
    assert pool.left_out == [
        "Dimers are left out: CHGNet, a universal potential, has no isolated atoms.",
        "Isolated atoms are left out: CHGNet, a universal potential, has no isolated atoms.",
    ]
    assert {drawn.kind for drawn in pool_of(entries, labeller="vasp").frames} == {"bulk", "dimer"}


def test_frames_of_a_given_cell_remember_it(pair: Atoms) -> None:
    shard = Frames.from_atoms([pair])
    pool = pool_of([{"kind": "interface", "of": "pair", "count": 2}], cells=Cells.of(shard))
    assert {drawn.atoms.info["parent_id"] for drawn in pool.frames} == {shard.frame_ids[0]}
    assert [len(drawn.atoms) for drawn in pool.frames] == [8, 8]


def test_melts_need_frames_and_take_the_temperature_of_their_stage() -> None:
    entry = {
        "kind": "melt_quench",
        "of": "LiCl",
        "n_atoms": 16,
        "count": 2,
        "temperatures_k": [1500, 300],
        "scale": 0.8,
    }
    (pool_entry,) = SamplePlan.model_validate({"classes": [entry]}).melts
    starts = draw_melt_starts(pool_entry, 1, Cells())
    assert [atoms.get_chemical_formula() for atoms in starts] == ["Cl8Li8"] * 2
    stages = [Frames.from_atoms(starts), Frames.from_atoms(starts[:1])]
    pool = pool_of([entry], made={"LiCl-melt_quench": stages})
    assert [drawn.temperature_k for drawn in pool.frames] == [1500, 1500, 300]
    assert {drawn.frame_class for drawn in pool.frames} == {"amorphous"}
    assert "melting needs MD of a labeller" in pool_of([entry]).left_out[0]


def test_cells_are_repeated_along_their_shortest_side() -> None:
    assert len(repeated(crystal("Li"), None, 64)) == 54
    assert repeated(crystal("Li2S"), None, 64).cell.lengths() == pytest.approx([11.42, 11.42, 5.71])
    assert len(repeated(crystal("Li2S"), (1, 1, 3), 64)) == 36


def test_phases_of_the_library_are_known_by_name() -> None:
    pool = pool_of([{"kind": "bulk", "of": "In"}])
    assert {symbol for drawn in pool.frames for symbol in drawn.atoms.symbols} == {"In"}


def test_the_species_are_those_of_cells_and_compositions(pair: Atoms) -> None:
    plan = SamplePlan.model_validate({"classes": [*EVERY_KIND]})
    assert species_of(plan, Cells.of(Frames.from_atoms([pair]))) == ["Li", "P", "S"]


def test_the_default_plan_asks_for_every_class_of_its_phases() -> None:
    plan = SamplePlan.model_validate(default_plan(["Li", "Li2S", "interface"]))
    assert {entry.frame_class for entry in plan.classes} == {
        "bulk", "surface", "amorphous", "interface", "dimer", "atom"
    }  # fmt: skip
    assert plan.phases == ["Li", "Li2S", "interface"]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({}, "the plan asks for no frames"),
        ({"classes": [{"kind": "liquid", "of": "Li"}]}, "'liquid' found using 'kind' does not match any"),
        (
            {"classes": [{"kind": "bulk", "of": "Li5Xx"}]},
            "There is no cell 'Li5Xx': none is given, and the library has",
        ),
        ({"classes": [{"kind": "bulk", "of": "Li"}] * 2}, "two entries are named 'Li'"),
        ({"classes": [{"kind": "amorphous", "composition": "Li3PS4"}]}, "a composition needs density_g_per_cm3"),
        ({"classes": [{"kind": "amorphous"}]}, "name either a phase .* or a composition"),
        (
            {"classes": [{"kind": "amorphous", "composition": "LiCl", "density_g_per_cm3": [9, 9]}]},
            "Entry 'LiCl-amorphous': No packing of 48 atoms was found at 9",
        ),
        ({"classes": [{"kind": "bulk", "of": "Li", "rattle_ang": [2, 2]}]}, "Entry 'Li': frame . has atoms .* apart"),
        ({"classes": [{"kind": "bulk", "of": "Li"}], "shares": {"gas": 1}}, "shares has no class 'gas'"),
        ({"classes": [{"kind": "dimer", "pairs": ["Li-Xx"]}]}, "There is no pair 'Li-Xx'"),
        ({"study": {"lii": {}}}, "a sampling plan has no 'lii'"),
        ({"study": {}, "li": {"count": 1}}, "'li' stands beside `seed` and there is `study` too"),
    ],
)
def test_a_plan_that_can_not_be_drawn_is_refused_with_a_sentence(tmp_path: Path, plan: Any, message: str) -> None:
    status, result, _ = call(sample.main, tmp_path, {"plan": plan})
    assert status == 2
    assert re.search(message, result["error"]["message"]), result["error"]["message"]


def test_two_cells_of_one_name_are_refused(tmp_path: Path, pair: Atoms) -> None:
    Frames.from_atoms([pair, pair]).save(tmp_path / "cells.npz")
    job = {"plan": {"classes": [{"kind": "bulk", "of": "pair"}]}, "cells": "cells.npz"}
    status, result, _ = call(sample.main, tmp_path, job)
    assert status == 2
    assert "Two cells are named 'pair'" in result["error"]["message"]
