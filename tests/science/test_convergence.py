"""A verdict on learning needs three witnesses; each known answer here lacks one, or has all."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from aiida_seireact.science.convergence import Calibration, ConvergenceLimits, calibrate, intervals, judge, pool

HONEST = Calibration(400, 0.6, (0.01, 0.02, 0.04, 0.1), (0.02, 0.04, 0.08, 0.2), 10.0)
BLIND = Calibration(400, 0.05, (0.01, 0.02, 0.04, 0.1), (0.1, 0.1, 0.1, 0.1), 1.0)


def verdict(call_steps: list[int], step: int, errors: list[float], **given: Any) -> dict[str, Any]:
    """Return the verdict on a run of 10,000 steps whose forces have an rms of 1 eV/Å."""
    return judge(
        call_steps=call_steps,
        step=step,
        steps=given.get("steps", 10_000),
        canary_error=errors,
        canary_size=np.ones(len(errors)),
        calibration=given.get("calibration", HONEST),
        limits=given.get("limits", ConvergenceLimits()),
    )


# ------------------------------------------------------------------ calls, canary, trust
def test_a_quiet_run_with_a_low_canary_and_an_honest_uncertainty_has_converged():
    told = verdict([10, 60, 400, 2000], 5500, [0.9, 0.5, 0.3, 0.2, 0.2, 0.1, 0.1])
    assert told["verdict"] == "converged"
    assert told["numbers"]["intervals"] == [10, 50, 340, 1600]
    assert told["numbers"]["quiet_steps"] == 3500
    assert told["numbers"]["quiet_steps_needed"] == 3000
    assert told["sentences"][0].startswith("4 calls, 10 steps apart at first and 1600 at last; quiet for 3500 MD steps")


def test_the_stretch_before_the_last_call_is_quiet_too():
    assert verdict([10, 60, 400, 3500], 3500, [0.2] * 4)["verdict"] == "converged"
    assert verdict([10, 60, 400, 3500, 3510], 3510, [0.2] * 4)["verdict"] == "needs more"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": 3000}, "quiet for 1600 MD steps at the end, 3000 are asked for"),
        ({"errors": [0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.5]}, "% of the rms force; 30% is asked for"),
        ({"errors": []}, "its error is not known"),
        ({"calibration": BLIND}, "a quiet run proves nothing"),
        ({"calibration": Calibration(3)}, "3 atoms of new labels are too few"),
    ],
)
def test_without_one_of_the_three_it_needs_more(changes, words):
    given = {"call_steps": [10, 60, 400, 2000], "step": 5500, "errors": [0.9, 0.5, 0.3, 0.2, 0.2, 0.1, 0.1], **changes}
    told = verdict(**given)
    assert told["verdict"] == "needs more"
    assert any(words in sentence for sentence in told["sentences"])


def test_a_short_condition_is_quiet_for_a_share_of_its_steps():
    told = verdict([10, 60], 100, [0.2] * 4, steps=100)
    assert told["numbers"]["quiet_steps_needed"] == 50  # five times the first interval
    assert verdict([50], 50, [0.2] * 4, steps=100)["numbers"]["quiet_steps_needed"] == 30
    assert told["verdict"] == "converged"


def test_quiet_is_long_beside_the_usual_interval_unless_intervals_grow():
    rare = [700, 1400, 2100, 2800]
    told = verdict(rare, 5900, [0.2] * 4)
    assert told["numbers"]["quiet_steps_needed"] == 3500
    assert told["verdict"] == "needs more"
    assert verdict(rare, 6300, [0.2] * 4)["verdict"] == "converged"
    growing = [500, 1000, 1500, 2000, 2700, 3400, 4100, 4800]
    assert verdict(growing, 7800, [0.2] * 4)["verdict"] == "converged"


def sooner_or_later(rng: np.random.Generator, rate: float, *, fading: float = 1.0, steps: int = 1_000_000) -> bool:
    """Return whether a run of the paper is ever taken for converged: judged at each of up to 100 calls and at its end.

    :param rate: calls a run expected at first, at random; ``fading``: by how much each call lowers it.
    """
    calls: list[int] = []
    while len(calls) < 100:
        step = (calls[-1] if calls else 0) + max(1, round(rng.exponential(steps / rate)))
        calls += [step] if step < steps else []
        if verdict(calls, min(step, steps), [0.25] * len(calls), steps=steps)["verdict"] == "converged":
            return True
        if step >= steps:
            break
        rate /= fading
    return False


@pytest.mark.parametrize("rate", [30, 300])
def test_calls_at_a_constant_rate_are_not_converged_however_low_the_canary(rate):
    taken = sum(sooner_or_later(np.random.default_rng(seed), rate) for seed in range(200))
    assert taken < 0.05 * 200


def test_calls_that_become_rare_are():
    taken = sum(sooner_or_later(np.random.default_rng(seed), 3000, fading=1.5) for seed in range(50))
    assert taken > 0.7 * 50


def test_a_run_that_never_called_is_not_trusted_for_that():
    told = verdict([], 10_000, [])
    assert told["verdict"] == "needs more"
    assert told["sentences"][0] == "It never called for a label in 10000 MD steps."


# ------------------------------------------------------------------ hopeless
ALWAYS = list(range(12, 121, 12))


def test_calls_all_the_time_that_teach_nothing_are_hopeless():
    told = verdict(ALWAYS, 120, [0.8, 0.9, 0.8, 0.8, 0.9, 0.8, 0.9, 0.8, 0.8])
    assert told["verdict"] == "hopeless"
    assert told["sentences"][0].startswith("It calls all the time, and labels do not help: the last 4 calls came 12")
    assert "Raise call_threshold" in told["sentences"][0]


@pytest.mark.parametrize(
    ("call_steps", "errors"),
    [
        # The error falls: each label teaches.
        (ALWAYS, [0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3]),
        # Intervals grow.
        ([5, 10, 15, 20, 30, 45, 70, 110], [0.8] * 7),
        # Calls are rare, though no rarer than at first.
        (list(range(500, 4001, 500)), [0.8] * 7),
        # Too few calls to say.
        (ALWAYS[:7], [0.8] * 7),
    ],
)
def test_each_sign_of_hope_counts(call_steps, errors):
    assert verdict(call_steps, call_steps[-1], errors)["verdict"] == "needs more"


# ------------------------------------------------------------------ calibration
def test_an_uncertainty_that_orders_the_errors_has_a_correlation_of_one():
    std = np.linspace(0.01, 0.1, 40)
    found = calibrate(std, std**2)
    assert found.rank_correlation == pytest.approx(1.0)
    assert found.n_atoms == 40
    assert found.quantile_std == pytest.approx([part.mean() for part in np.split(std, 4)])
    assert found.error_ratio == pytest.approx((std[30:] ** 2).mean() / (std[:10] ** 2).mean())


def test_an_uncertainty_of_errors_of_that_width_is_told_from_a_random_one():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.05, 0.5, 4000)
    honest = calibrate(std, np.abs(rng.normal(scale=std)))
    blind = calibrate(rng.permutation(std), np.abs(rng.normal(scale=std)))
    assert honest.rank_correlation > 0.3
    assert abs(blind.rank_correlation) < 0.05
    # Mean of |x| of a normal distribution goes with its width, here 0.444 over 0.106 in the mean of the quarters.
    assert honest.error_ratio == pytest.approx(0.444 / 0.106, rel=0.1)
    assert blind.error_ratio == pytest.approx(1.0, rel=0.1)


def test_the_deviation_of_a_committee_is_judged_alike_on_any_scale():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(300, 3))
    widths = rng.uniform(0.01, 0.3, 300)
    committee = truth + widths[:, None] * rng.normal(size=(5, 300, 3))
    deviation = np.linalg.norm(committee.std(axis=0), axis=1)
    error = np.linalg.norm(committee.mean(axis=0) - truth, axis=1)
    found = calibrate(deviation, error)
    assert found.rank_correlation > 0.5
    assert calibrate(1000 * deviation, error).rank_correlation == pytest.approx(found.rank_correlation)


def test_what_says_nothing_has_no_correlation():
    assert calibrate([], []).rank_correlation is None
    assert calibrate(np.ones(50), np.arange(50)).rank_correlation is None
    assert calibrate([0.1, 0.2], [0.1, 0.2]).n_atoms == 2


def test_broken_numbers_are_refused():
    with pytest.raises(ValueError, match="3 uncertainties for 2 errors"):
        calibrate([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="must be numbers"):
        calibrate([1.0, np.nan], [1.0, 1.0])
    with pytest.raises(ValueError, match="in the order of their MD steps"):
        intervals([20, 10])


# ------------------------------------------------------------------ pooled, and the form
@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["converged", "converged"], "converged"),
        (["converged", "needs more"], "needs more"),
        (["hopeless", "needs more"], "needs more"),
        (["hopeless", "converged"], "hopeless"),
        (["converged", None], "needs more"),
        ([], "needs more"),
    ],
)
def test_pooled_it_is_as_far_as_the_least_advanced(verdicts, expected):
    pooled = pool({f"c{number}": name and {"verdict": name} for number, name in enumerate(verdicts)})
    assert pooled["verdict"] == expected
    assert sum(len(names) for names in pooled["conditions"].values()) == len(verdicts)


def test_a_verdict_is_the_same_written_and_read():
    told = verdict([10, 60], 100, [0.2] * 4)
    assert json.loads(json.dumps(told)) == told
    assert told["limits"] == asdict(ConvergenceLimits())


def test_limits_that_can_be_none_are_refused():
    with pytest.raises(ValueError, match="window must be above 0"):
        ConvergenceLimits(window=0)
    with pytest.raises(ValueError, match="more than the whole run"):
        ConvergenceLimits(quiet_share=1.5)
    with pytest.raises(ValueError, match="-1 to 1"):
        ConvergenceLimits(rank_correlation_min=2.0)
