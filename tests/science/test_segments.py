from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiida_seireact.science.segments import (
    SegmentError,
    complaint_of,
    in_order_of_steps,
    joined_columns,
    judged,
    ledger_of,
    seams_of,
)


def run(first: int, last: int, *, energy: float = 0.0, **facts: Any) -> dict[str, Any]:
    """A segment with a row a step; the conserved quantity goes up and down by 0.1."""
    step = np.arange(first, last + 1, dtype=float)
    thermo = {
        "step": step,
        "pe": -10.0 + step + energy,
        "vol": np.full(len(step), 500.0),
        "econserve": 0.1 * (step % 2) + energy,
    }
    same = {"n_atoms": 10, "species": ["Li"], "timestep_fs": 2.0, "dump_every": 5}
    return {"facts": {**same, "first_step": first, "last_step": last, **facts}, "thermo": thermo}


def test_segments_are_put_in_order_and_joined_with_each_step_once():
    runs = in_order_of_steps([run(20, 30), run(0, 10), run(10, 20)])
    assert [item["facts"]["first_step"] for item in runs] == [0, 10, 20]
    assert joined_columns([item["thermo"] for item in runs])["step"].tolist() == list(range(31))


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([run(0, 10), run(12, 20)], "steps 10 to 12 are missing"),
        ([run(0, 10), run(8, 20)], "steps 8 to 10 were run twice"),
        ([run(0, 10), run(10, 20, n_atoms=11)], "n_atoms is 10, after step 10 11"),
    ],
)
def test_what_is_not_one_run_is_refused(runs, message):
    with pytest.raises(SegmentError, match=message):
        in_order_of_steps(runs)


def test_a_seam_compares_the_same_step_of_both():
    (seam,) = seams_of([run(0, 10), run(10, 20)])
    assert seam == {"step": 10, "energy_jump_ev_per_atom": 0.0, "volume_jump": 0.0, "conserved_jump_ratio": 0.0}
    (seam,) = seams_of([run(0, 10), run(10, 20, energy=0.3)])
    assert seam["energy_jump_ev_per_atom"] == pytest.approx(0.03)
    assert seam["conserved_jump_ratio"] == pytest.approx(3.0)
    assert "at step 10 the potential energy jumps by 3.0e-02 eV/atom" in complaint_of([seam])
    assert complaint_of(seams_of([run(0, 10), run(10, 20)])) == ""


def test_a_volume_that_jumps_is_told():
    later = run(10, 20)
    later["thermo"]["vol"] = later["thermo"]["vol"] * 1.001
    assert "the volume jumps by 1.0e-03" in complaint_of(seams_of([run(0, 10), later]))


def test_a_seam_without_its_step_on_both_sides_is_refused():
    later = run(10, 20)
    later["thermo"] = {name: column[1:] for name, column in later["thermo"].items()}
    with pytest.raises(SegmentError, match="meet at step 10"):
        seams_of([run(0, 10), later])


def test_the_ledger_counts_cores_gpus_and_the_rest():
    row = {"steps": 1000, "ps": 2.0, "last_step": 1000, "md_seconds": 100.0, "seconds": 180.0}
    ledger = ledger_of([{**row, "ranks": 4, "threads": 2, "gpus": 4}], steps_asked=5000, timestep_fs=2.0)
    (segment,) = ledger["segments"]
    assert segment["ns_per_day"] == pytest.approx(2e-3 * 864)
    assert segment["core_hours"] == pytest.approx(0.05 * 8)
    assert ledger["gpu_hours"] == pytest.approx(0.05 * 4)
    # The rest costs what the last segment did, loading and packing included.
    assert ledger["rest"] == pytest.approx(
        {"steps": 4000, "ns": 8e-3, "hours": 0.2, "core_hours": 1.6, "gpu_hours": 0.8}
    )


def test_without_a_pace_the_rest_is_not_guessed():
    rest = ledger_of([], steps_asked=10, timestep_fs=1.0)["rest"]
    assert (rest["steps"], rest["hours"]) == (10, None)


def test_the_judgement_holds_the_limits_that_it_goes_by():
    good = judged(seams_of([run(0, 10), run(10, 20)]))
    assert good["complaint"] == ""
    assert good["limits"] == {"energy_jump_max_ev_per_atom": 1e-5, "volume_jump_max": 1e-7}
    assert "the potential energy jumps" in judged(seams_of([run(0, 10), run(10, 20, energy=0.3)]))["complaint"]
