"""Errors on held-out frames against numbers worked out by hand; what the model did not give is no number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from aiida_seireact.science.validation.errors import Errors
from aiida_seireact.science.validation.lines import Evidence, HeldOut
from aiida_seireact.science.validation.targets import Target


def held_out(**changes: Any) -> HeldOut:
    """Two frames: Li2 (config type Li) off by 20 meV and 0.1 eV/Å in x; LiP (Li3P) off by -40 meV on the force of P."""
    reference = {
        "energy": np.array([-4.0, -6.0]),
        "forces": np.full((4, 3), 0.2),
        "stress": np.zeros((2, 6)),
    }
    predicted = {name: column.copy() for name, column in reference.items()}
    predicted["energy"] += [0.02, -0.04]
    predicted["forces"][0, 0] += 0.1
    predicted["forces"][3, :] -= 0.2
    columns: dict[str, Any] = {
        "config_type": np.array(["Li", "Li3P"]),
        "frame_ids": ["one", "two"],
        "numbers": np.array([3, 3, 3, 15]),
        "offsets": np.array([0, 2, 4]),
        "reference": reference,
        "predicted": predicted,
    }
    return HeldOut(**{**columns, **changes})


def line(**parameters: Any) -> Errors:
    return Errors(target=Target(max=1.0), **parameters)


def test_energy_errors_are_per_atom_and_each_frame_counts_once() -> None:
    (all_,) = line(of="energy").measure(Evidence(held_out=held_out()))
    assert all_.value == pytest.approx(1000 * math.sqrt((0.01**2 + 0.02**2) / 2))
    assert (all_.unit, all_.subject, all_.frames) == ("meV/atom", "all", ("two", "one"))


def test_each_config_type_has_a_number_and_its_frames() -> None:
    li, li3p = line(of="energy", per="config_type", statistic="mae").measure(Evidence(held_out=held_out()))
    assert (li.subject, li.value, li.frames) == ("Li", pytest.approx(10.0), ("one",))
    assert (li3p.subject, li3p.value, li3p.frames) == ("Li3P", pytest.approx(20.0), ("two",))


def test_forces_per_species_and_over_their_rms() -> None:
    li, p = line(of="force", per="species", of_rms=True).measure(Evidence(held_out=held_out()))
    assert (li.subject, p.subject, p.unit) == ("Li", "P", "")
    assert li.value == pytest.approx(math.sqrt(0.1**2 / 9) / 0.2)
    assert p.value == pytest.approx(1.0)
    assert p.frames == ("two",)


def test_what_the_model_did_not_give_is_no_number() -> None:
    whole = held_out()
    whole.predicted["energy"][1] = np.nan
    li, li3p = line(of="energy", per="config_type").measure(Evidence(held_out=whole))
    assert np.isfinite(li.value)
    assert np.isnan(li3p.value)
    assert li3p.frames == ("two",)
    (all_,) = line(of="energy").measure(Evidence(held_out=whole))
    assert np.isnan(all_.value)
    assert all_.frames[0] == "two"


def test_labels_without_stress_and_no_frames_are_no_number() -> None:
    without = held_out()
    assert isinstance(without.reference, dict)
    del without.reference["stress"]
    (number,) = line(of="stress").measure(Evidence(held_out=without))
    assert np.isnan(number.value)
    assert number.note == "the labels have no stress"
    (number,) = line(of="stress").measure(Evidence())
    assert np.isnan(number.value)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"of": "energy", "per": "species"}, "per species"),
        ({"of": "energy", "of_rms": True}, "no zero"),
    ],
)
def test_what_means_nothing_is_refused(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        line(**parameters)


def test_an_error_is_no_number_of_the_labeller() -> None:
    with pytest.raises(ValueError, match="give max"):
        Errors(of="energy", target=Target(relative=0.1))
