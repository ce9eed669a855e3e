"""How much of a run is unknown, and whether that is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.functions.close_loop import compare_unknown, decide_to_learn
from aiida_seireact.formats.jobs.close_loop import CloseLoopSettings

pytestmark = pytest.mark.usefixtures("aiida_profile")


def classification(unknown: float, of_interphase: float) -> orm.Dict:
    def periods(part: float) -> dict[str, Any]:
        return {when: {"unknown": part, "Li2S": 1 - part} for when in ("first_tenth", "last_tenth", "whole_run")}

    counts = {"first_tenth": 10, "last_tenth": 20, "whole_run": 100}
    return orm.Dict(
        {
            "of": "Li environments of the whole cell",
            "n_environments": 1000,
            "n_unknown_clusters": 3,
            "last_step": 500,
            "phase_fractions": periods(unknown),
            "interphase": {
                "of": "Li environments whose label is not Li or Li6PS5Cl",
                "n_environments": counts,
                "phase_fractions": periods(of_interphase),
            },
        }
    )


@pytest.mark.parametrize(
    ("settings", "learn", "part", "count"),
    [
        ({}, True, 0.3, 100),
        ({"unknown_limit": 0.4}, False, 0.3, 100),
        ({"of": "all"}, False, 0.01, 1000),
        ({"of": "all", "unknown_limit": 0.0, "when": "last_tenth"}, True, 0.01, 1000),
        ({"when": "last_tenth"}, True, 0.3, 20),
    ],
)
def test_more_than_the_limit_is_learned(settings: dict[str, Any], learn: bool, part: float, count: int) -> None:
    decision = decide_to_learn(orm.Dict(settings), classification(0.01, 0.3))
    assert decision["learn"] is learn
    assert (decision["unknown"], decision["n_environments"]) == (part, count)
    assert decision["limit"] == CloseLoopSettings.model_validate(settings).unknown_limit


def test_before_and_after_are_told_with_what_was_learned() -> None:
    selection = orm.ArrayData()
    selection.set_array("centre_id", np.array([5, -1, 7, -1]))
    selection.set_array("chosen", np.array([True, False, True, True]))
    selection.set_array("n_removed", np.array([1, 0, 2, 0]))
    errors = {"all": {"force_rmse_ev_per_ang": 0.2, "energy_rmse_mev_per_atom": 3.0}}
    augmentation = orm.Dict({"n_labelled": 3, "held_out": {"before": errors, "after": None}})
    told = compare_unknown(
        orm.Dict({}), classification(0.01, 0.3), classification(0.01, 0.1), augmentation, selection
    ).get_dict()
    assert (told["before"]["unknown"], told["after"]["unknown"]) == (0.3, 0.1)
    assert (told["n_cells_cut_out"], told["n_atoms_removed"], told["n_labelled"]) == (2, 3, 3)
    assert told["held_out"] == {"before": errors["all"], "after": None}


def test_an_interphase_without_the_unknown_is_a_sentence() -> None:
    """A classification of before `metal` and `electrolyte` were checked."""
    told = classification(0.01, 0.3).get_dict()
    for shares in told["interphase"]["phase_fractions"].values():
        del shares["unknown"]
    with pytest.raises(ValueError, match="'unknown' among `metal` or `electrolyte`.* or set `of` to all"):
        decide_to_learn(orm.Dict({}), orm.Dict(told))
    assert decide_to_learn(orm.Dict({"of": "all"}), orm.Dict(told))["learn"] is False
