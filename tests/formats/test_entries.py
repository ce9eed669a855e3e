"""Energies from JSON: ours, pymatgen's computed entries, summaries of a database; and from labelled frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pymatgen.entries.computed_entries import ComputedEntry, ConstantEnergyAdjustment, ManualEnergyAdjustment

from aiida_seireact.formats.entries import EntriesError, energies_of_frames, read_entries, to_content
from aiida_seireact.formats.frames import Frames


def read(*items: dict[str, Any], **content: Any) -> Any:
    return read_entries(json.dumps({"entries": list(items), **content} if content else list(items)))


def test_ours_say_formula_energy_level_and_source():
    (energy,) = read({"formula": "Li2S", "energy_ev_per_atom": -4.0, "level": "PBE", "source": "lab 7"})
    assert energy.composition == {"Li": 2.0, "S": 1.0}
    assert energy.energy_ev == pytest.approx(-12.0)
    assert (energy.name, energy.level, energy.source) == ("Li2S", "PBE", "lab 7")


def test_a_level_beside_the_entries_counts_for_those_that_say_none():
    first, second = read(
        {"formula": "Li", "energy_ev": -1.9}, {"formula": "S", "energy_ev": -4.1, "level": "b"}, level="a"
    )
    assert (first.level, second.level) == ("a", "b")


def test_computed_entries_of_pymatgen_keep_their_corrections():
    entry = ComputedEntry(
        {"Li": 4, "S": 2},
        -24.0,
        energy_adjustments=[ConstantEnergyAdjustment(-1.0), ManualEnergyAdjustment(-0.5)],
        parameters={"run_type": "GGA"},
        entry_id="mp-1153",
    )
    (energy,) = read(json.loads(json.dumps(entry.as_dict(), default=float)))
    assert energy.energy_ev == pytest.approx(entry.energy) == pytest.approx(-25.5)
    assert (energy.formula, energy.level, energy.source) == ("Li2S", "GGA", "mp-1153")


def test_old_entries_keep_their_correction():
    (energy,) = read({"composition": {"Li": 2, "S": 1}, "energy": -12.0, "correction": -0.5, "entry_id": "mp-1"})
    assert energy.energy_ev == pytest.approx(-12.5)


def test_summaries_of_the_materials_project():
    (energy,) = read({"formula_pretty": "LiCl", "energy_per_atom": -3.7, "material_id": "mp-22905"})
    assert energy.energy_ev == pytest.approx(-7.4)
    assert energy.source == "mp-22905"


def test_gga_with_and_without_u_is_one_level_of_a_database():
    first, second = (
        read({"formula": "Li", "energy": -1.9, "parameters": {"run_type": run_type}})[0]
        for run_type in ("GGA", "GGA+U")
    )
    assert first.level == second.level


def test_what_is_written_is_what_is_read():
    energies = read(
        {"formula": "Li6PS5Cl", "energy_ev": -57.0, "level": "x", "source": "y"}, {"formula": "Li", "energy": -2}
    )
    assert read_entries(json.dumps(to_content(energies))) == energies


def test_labelled_frames_give_their_energies_with_frame_id_and_level(labelled: Callable[..., Frames]):
    frames = labelled(2)
    energies = energies_of_frames(frames)
    assert [energy.source for energy in energies] == frames.frame_ids
    assert {energy.level for energy in energies} == {"a" * 64}
    assert [energy.energy_ev for energy in energies] == pytest.approx(
        list(frames.energy_e0 if frames.energy_e0 is not None else frames.energy)
    )
    assert energies[0].formula == "Li2S"
    with pytest.raises(EntriesError, match="no energies: label them first"):
        energies_of_frames(frames.without_labels())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("[]", "There are no entries"),
        ('{"entries": "Li2S"}', "There are no entries"),
        ("[3]", "Entry 1 is 3, not an object"),
        ('[{"formula": "Li2S"}]', r"Entry 1 \(Li2S\) has no energy: give energy_ev"),
        ('[{"energy_ev": 1}]', "Entry 1 has no composition"),
        ('[{"formula": "???", "energy_ev": 1}]', "composition of entry 1 is '[?]{3}', which can't be read"),
        ('[{"formula": "Li", "energy_ev": "low"}]', "energy_ev of entry 1 is 'low': give a number"),
    ],
)
def test_bad_entries_get_a_sentence(text: str, sentence: str):
    with pytest.raises(EntriesError, match=sentence):
        read_entries(text)
