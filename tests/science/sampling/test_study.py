"""The first training set holds reactants and products, is the same for the same seed, and nothing in it is
broken."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.sampling import Draw, SamplingPlan, sample_frames
from aiida_seireact.science.structures import crystal, training_cell

SMALL = SamplingPlan(seed=11).scaled(0.1)
NOTHING = SamplingPlan().scaled(0.0, minimum=0)


@pytest.fixture(scope="module")
def frames():
    return sample_frames(SMALL)


def of_type(frames, config_type: str):
    return [atoms for atoms in frames if atoms.info["config_type"] == config_type]


def same(first, second) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a.positions, b.positions) and np.array_equal(a.cell.array, b.cell.array)
        for a, b in zip(first, second, strict=True)
    )


def test_the_default_plan_has_176_frames_as_the_demo():
    plan = SamplingPlan()
    assert {name: draw.count for name, draw in plan.draws.items()} == {
        "Li": 16,
        "Li-expanded": 24,
        "Li-slab": 12,
        "Li6PS5Cl": 24,
        "interface": 40,
        "interface-expanded": 12,
        "Li2S": 16,
        "Li3P": 16,
        "LiCl": 16,
    }
    assert plan.n_frames == 176


def test_every_config_type_is_there_with_its_count(frames):
    counted = Counter(atoms.info["config_type"] for atoms in frames)
    assert counted == {name: draw.count for name, draw in SMALL.draws.items()}
    assert min(counted.values()) == 3


def test_every_frame_is_periodic_and_a_group_of_its_own(frames):
    assert all(atoms.pbc.all() for atoms in frames)
    assert len({atoms.info["group"] for atoms in frames}) == len(frames)
    assert {atoms.info["parent_id"] for atoms in frames} == {""}


def test_expanded_lithium_reaches_from_1_15_to_1_7_of_the_volume(frames):
    ratios = [atoms.get_volume() / len(atoms) / (3.42**3 / 2) for atoms in of_type(frames, "Li-expanded")]
    edges = np.linspace(1.15, 1.70, len(ratios) + 1)
    # One in each third of the range, whatever the seed.
    assert all(low <= ratio <= high for low, ratio, high in zip(edges, ratios, edges[1:], strict=False))


def test_slabs_have_their_vacuum(frames):
    for atoms in of_type(frames, "Li-slab"):
        heights = np.sort(atoms.get_scaled_positions()[:, 2])
        gap = np.diff(np.append(heights, heights[0] + 1)).max() * atoms.cell.lengths()[2]
        assert 2.0 - 1.5 < gap < 8.0 + 1.5


def test_interfaces_are_drawn_with_disorder_of_their_own():
    still = Draw(3, (1.0, 1.0), shear=0.0, rattle_ang=(0, 0))
    drawn = sample_frames(replace(NOTHING, interface=still))
    assert [len(atoms) for atoms in drawn] == [58] * 3
    lithium = [atoms.positions[atoms.numbers == 3].round(3).tobytes() for atoms in drawn]
    assert len(set(lithium)) == 3


def test_the_same_seed_gives_the_same_frames(frames):
    assert same(frames, sample_frames(SMALL))
    assert not same(frames, sample_frames(replace(SMALL, seed=12)))


def test_a_changed_count_changes_no_other_type(frames):
    changed = sample_frames(replace(SMALL, li=replace(SMALL.li, count=0), li2s=replace(SMALL.li2s, count=5)))
    for config_type in SMALL.draws:
        if config_type not in ("Li", "Li2S"):
            assert same(of_type(frames, config_type), of_type(changed, config_type))
    assert not of_type(changed, "Li")
    assert len(of_type(changed, "Li2S")) == 5


def test_a_relaxed_cell_can_take_the_place_of_the_ideal_one():
    plan = replace(NOTHING, interface=Draw(2, (1.0, 1.0), shear=0.0, rattle_ang=(0, 0)))
    cell = training_cell(3)
    cell.set_cell(cell.cell.array * [0.98, 0.98, 1.0], scale_atoms=True)
    drawn = sample_frames(plan, cells={"interface": cell})
    assert len(drawn) == 2
    assert drawn[0].cell.array == pytest.approx(cell.cell.array, abs=1e-6)
    with pytest.raises(ValueError, match="'Li5' is no config type"):
        sample_frames(plan, cells={"Li5": crystal("Li")})


def test_a_plan_that_pushes_atoms_together_is_refused():
    plan = replace(NOTHING, li=Draw(5, (1.0, 1.0), rattle_ang=(1.5, 1.5), repeat=(3, 3, 3)))
    with pytest.raises(ValueError, match=r"Frame \d of type 'Li' has atoms .* lower rattle_ang"):
        sample_frames(plan)


def test_a_plan_survives_json():
    plan = replace(SMALL, seed=5)
    assert SamplingPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_a_plan_names_only_what_it_changes():
    plan = SamplingPlan.from_dict({"seed": 3, "li": {"count": 4}})
    assert plan.li == replace(SamplingPlan().li, count=4)
    assert plan.li2s == SamplingPlan().li2s


def test_misspelt_and_senseless_plans_are_refused():
    with pytest.raises(ValueError, match="has no 'lithium'"):
        SamplingPlan.from_dict({"lithium": {"count": 4}})
    with pytest.raises(ValueError, match="'li' of a sampling plan has no 'counts'"):
        SamplingPlan.from_dict({"li": {"counts": 4}})
    with pytest.raises(ValueError, match="volume_ratio"):
        Draw(1, (1.2, 1.1))
    with pytest.raises(ValueError, match="rattle_ang"):
        Draw(1, (1.0, 1.1), rattle_ang=(-0.1, 0.1))


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        ({}, "f842631539b519328fa88c2a21156bbe6f73331e007f92d40dc170e6f61850ef"),
        ({"seed": 11, "li": {"count": 3}}, "3e915f7dddbe05e5cb5c40ee0de2e6ab185ae08d9a0770680fdee7e1eaf79a78"),
    ],
)
def test_the_frames_are_those_of_the_first_release_to_the_last_byte(counts, known):
    # A dataset hash of every study so far hangs on these bytes.
    assert Frames.from_atoms(sample_frames(SamplingPlan.from_dict(counts))).content_hash == known
