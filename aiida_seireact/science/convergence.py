"""Whether on-the-fly learning has come to an end: calls for labels, errors before learning, trust in uncertainties.

Three witnesses, none of which is enough alone. **Calls**: MD that asks ever more rarely. **The canary**: the error on
each new label before it is learned. **Calibration**: whether the uncertain environments are the wrong ones; without
that a quiet run proves nothing. All limits are choices of this package; no paper states any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

from aiida_seireact.science.metrics import rmse

FloatArray = NDArray[np.float64]
Verdict = Literal["converged", "needs more", "hopeless"]

CONVERGED: Verdict = "converged"
NEEDS_MORE: Verdict = "needs more"
HOPELESS: Verdict = "hopeless"
UNKNOWN = "not judged"

# Fewer atoms say nothing of a rank correlation: its standard error is 1/sqrt(n - 1), here a third.
FEWEST_ATOMS = 10
N_QUANTILES = 4


@dataclass(frozen=True)
class ConvergenceLimits:
    """Limits of the verdict.

    :param quiet_steps: MD steps without a call, before the last one or since, that are a quiet run.
    :param quiet_share: where a condition is short: that share of its steps.
    :param quiet_ratio: where intervals do not grow: so many times the median interval is quiet at the least.
    :param canary_ratio_max: largest force error on the last new labels, of the rms force in them.
    :param rank_correlation_min: least rank correlation of uncertainty and force error of an atom.
    :param window: how many of the last calls and labels are compared with as many of the first.
    :param restless_steps: median of the last intervals between calls up to which a threshold calls all the time, steps.
    :param growth_min: last intervals over first ones from which on they grow.
    :param fall_max: last canary over the first one up to which it falls.
    :raises ValueError: a limit that can't be one.
    """

    quiet_steps: int = 300_000
    quiet_share: float = 0.5
    quiet_ratio: float = 5.0
    canary_ratio_max: float = 0.3
    rank_correlation_min: float = 0.2
    window: int = 4
    restless_steps: int = 50
    growth_min: float = 1.3
    fall_max: float = 0.9

    def __post_init__(self) -> None:
        positive = ("quiet_steps", "quiet_share", "quiet_ratio", "canary_ratio_max", "window", "growth_min", "fall_max")
        if wrong := [name for name in positive if getattr(self, name) <= 0]:
            raise ValueError(f"{', '.join(wrong)} must be above 0")
        if self.restless_steps < 0:
            raise ValueError("restless_steps must be 0 or more")
        if self.quiet_share > 1:
            raise ValueError(f"quiet_share {self.quiet_share:g} is more than the whole run")
        if not -1 <= self.rank_correlation_min <= 1:
            raise ValueError(f"rank_correlation_min {self.rank_correlation_min:g} is no correlation: -1 to 1")


@dataclass(frozen=True)
class Calibration:
    """Whether uncertainty tells of errors.

    :param n_atoms: environments compared.
    :param rank_correlation: Spearman's coefficient; None of fewer than `FEWEST_ATOMS`, or of values all alike.
    :param quantile_std: mean uncertainty in each quarter of the environments, from the least uncertain on.
    :param quantile_error: mean error there, in the unit of the errors.
    :param error_ratio: mean error of the most uncertain quarter over that of the least uncertain one.
    """

    n_atoms: int
    rank_correlation: float | None = None
    quantile_std: tuple[float, ...] = ()
    quantile_error: tuple[float, ...] = ()
    error_ratio: float | None = None


def calibrate(std: ArrayLike, error: ArrayLike) -> Calibration:
    """Compare uncertainties with true errors, whoever states them: a Gaussian process, or a committee's deviation.

    :param std: ``(n,)`` uncertainty of each environment, on any scale.
    :param error: ``(n,)`` size of its true error.
    :raises ValueError: shapes that differ, or values that are no numbers.
    """
    x, y = np.asarray(std, dtype=float).ravel(), np.asarray(error, dtype=float).ravel()
    if x.shape != y.shape:
        raise ValueError(f"There are {len(x)} uncertainties for {len(y)} errors.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("Uncertainties and errors must be numbers.")
    found = rank_correlation(x, y, fewest=FEWEST_ATOMS)
    if found is None:
        return Calibration(len(x))
    quarters = np.array_split(np.argsort(x, kind="stable"), N_QUANTILES)
    errors = [float(y[part].mean()) for part in quarters]
    return Calibration(
        n_atoms=len(x),
        rank_correlation=found,
        quantile_std=tuple(float(x[part].mean()) for part in quarters),
        quantile_error=tuple(errors),
        error_ratio=errors[-1] / errors[0] if errors[0] > 0 else None,
    )


def rank_correlation(x: ArrayLike, y: ArrayLike, *, fewest: int) -> float | None:
    """Return Spearman's coefficient of two series ``(n,)``; None of less than ``fewest``, or where one is all alike."""
    one, other = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(one) < fewest or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(spearmanr(one, other).statistic)


def intervals(call_steps: Sequence[int]) -> list[int]:
    """Return the MD steps from call to call, the first from the beginning of the run.

    :raises ValueError: steps that go back.
    """
    steps = [0, *call_steps]
    found = [after - before for before, after in pairwise(steps)]
    if any(step < 0 for step in found):
        raise ValueError("Calls come in the order of their MD steps.")
    return found


def judge(
    *,
    call_steps: Sequence[int],
    step: int,
    steps: int,
    canary_error: ArrayLike,
    canary_size: ArrayLike,
    calibration: Calibration,
    limits: ConvergenceLimits,
) -> dict[str, Any]:
    """Return the verdict on one condition, with sentences, numbers and limits.

    *Converged*: MD has been quiet, the canary is low, and uncertainty tells of errors. At a constant rate of calls a
    long interval comes by chance, so quiet is a large share of the run and, unless intervals grow, long beside the
    others. *Hopeless*: it calls all the time, intervals do not grow and the canary does not fall, so further labels
    would be burnt. Else it needs more.

    :param call_steps: MD steps at which the threshold called for a label, ascending.
    :param step: MD step reached.
    :param steps: MD steps of the condition.
    :param canary_error: ``(n_labels,)`` rms force error on each new label before learning, in their order, eV/Å.
    :param canary_size: ``(n_labels,)`` rms force in it, eV/Å.
    :param calibration: of the atoms of the last labels.
    :return: ``verdict``, ``sentences``, ``numbers``, ``limits``; to be written as JSON.
    :raises ValueError: calls that go back, or canaries that do not fit each other.
    """
    gaps, window = intervals(call_steps), limits.window
    errors, sizes = np.asarray(canary_error, dtype=float), np.asarray(canary_size, dtype=float)
    if errors.shape != sizes.shape:
        raise ValueError(f"There are {len(errors)} errors for {len(sizes)} forces.")
    # A leg that has just ended by a call has the quiet stretch before it behind it.
    since = step - (call_steps[-1] if len(call_steps) else 0)
    quiet = max([since, *gaps[-1:]])
    usual = _median(gaps if quiet == since and since else gaps[:-1])
    first, last = (_median(part) for part in (gaps[:window], gaps[-window:]))
    if len(gaps) < 2 * window:
        # Windows that overlap would hide how intervals grew.
        first, last = (_median(part) for part in (gaps[:1], gaps[-1:]))
    needed = max(1, min(limits.quiet_steps, round(limits.quiet_share * steps)))
    grew = len(gaps) >= 2 * window and first is not None and last is not None and last >= limits.growth_min * first
    if usual is not None and not grew:
        needed = max(needed, round(limits.quiet_ratio * usual))
    canary_first, canary_last = (_rms(part) for part in (errors[:window], errors[-window:]))
    size_last = _rms(sizes[-window:])
    ratio = canary_last / size_last if canary_last is not None and size_last else None
    numbers = {
        "step": int(step),
        "n_calls": len(gaps),
        "intervals": gaps,
        "quiet_steps": int(quiet),
        "quiet_steps_needed": needed,
        "interval_usual": usual,
        "interval_first": first,
        "interval_last": last,
        "n_labels_measured": len(errors),
        "canary_first_ev_per_ang": canary_first,
        "canary_last_ev_per_ang": canary_last,
        "canary_ratio": ratio,
        "calibration": {**asdict(calibration), **_lists(calibration)},
    }
    checks = (
        _calls(quiet, needed, first, last, len(gaps)),
        _canary(canary_first, canary_last, ratio, limits),
        _trust(calibration, limits),
    )
    sentences = [sentence for _, sentence in checks]
    verdict: Verdict = CONVERGED if all(holds for holds, _ in checks) else NEEDS_MORE
    if verdict is NEEDS_MORE and (
        reason := _hopeless(first, last, canary_first, canary_last, min(len(gaps), len(errors)), limits)
    ):
        verdict, sentences = HOPELESS, [reason, *sentences]
    return {"verdict": verdict, "sentences": sentences, "numbers": numbers, "limits": asdict(limits)}


def pool(verdicts: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return the verdict on all conditions together: as good as that of the least advanced.

    Hopeless if every condition that was judged and is not converged is hopeless: none of them would gain by more steps.

    :param verdicts: what `judge` returned, by condition; None of a condition of which nothing is known.
    """
    names: dict[str, list[str]] = {CONVERGED: [], NEEDS_MORE: [], HOPELESS: [], UNKNOWN: []}
    for name, judged in sorted(verdicts.items()):
        names[judged["verdict"] if judged else UNKNOWN].append(name)
    pooled: Verdict = NEEDS_MORE
    if names[CONVERGED] and len(names[CONVERGED]) == len(verdicts):
        pooled = CONVERGED
    elif names[HOPELESS] and not names[NEEDS_MORE]:
        pooled = HOPELESS
    sentences = [
        f"{len(found)} of {len(verdicts)} conditions {'is' if len(found) == 1 else 'are'} {words}: {', '.join(found)}."
        for found, words in (
            (names[CONVERGED], "converged"),
            (names[NEEDS_MORE], "in need of more"),
            (names[HOPELESS], "hopeless"),
            (names[UNKNOWN], "not judged, without a leg"),
        )
        if found
    ]
    return {"verdict": pooled, "sentences": sentences or ["No condition was explored."], "conditions": names}


def _calls(quiet: int, needed: int, first: float | None, last: float | None, n_calls: int) -> tuple[bool, str]:
    """Return whether MD has been quiet, and the sentence."""
    came = f", {first:g} steps apart at first and {last:g} at last" if n_calls > 1 else ""
    called = f"{n_calls} calls{came}" if n_calls != 1 else "1 call"
    if n_calls == 0:
        return quiet >= needed, f"It never called for a label in {quiet} MD steps."
    return quiet >= needed, f"{called}; quiet for {quiet} MD steps at the end, {needed} are asked for."


def _canary(
    first: float | None, last: float | None, ratio: float | None, limits: ConvergenceLimits
) -> tuple[bool, str]:
    """Return whether the error before learning is low, and the sentence."""
    if first is None or last is None or ratio is None:
        return False, "No new label has measured it: its error is not known."
    told = f"Before learning, the force error was {first:.3g} eV/Å at first and {last:.3g} at last, {ratio:.0%} of the"
    if ratio <= limits.canary_ratio_max:
        return True, f"{told} rms force."
    return False, f"{told} rms force; {limits.canary_ratio_max:.0%} is asked for."


def _trust(calibration: Calibration, limits: ConvergenceLimits) -> tuple[bool, str]:
    """Return whether uncertainty tells of errors, and the sentence."""
    found = calibration.rank_correlation
    if found is None:
        return False, f"{calibration.n_atoms} atoms of new labels are too few to compare uncertainty with error."
    ratio = calibration.error_ratio
    more = f", and the most uncertain quarter errs {ratio:.1f} times as much as the least" if ratio else ""
    told = f"Uncertainty and error of {calibration.n_atoms} atoms have a rank correlation of {found:.2f}{more}"
    if found >= limits.rank_correlation_min:
        return True, f"{told}."
    return False, f"{told}; {limits.rank_correlation_min:g} is asked for, so a quiet run proves nothing."


def _hopeless(
    first: float | None,
    last: float | None,
    canary_first: float | None,
    canary_last: float | None,
    n_known: int,
    limits: ConvergenceLimits,
) -> str:
    """Return why further labels would be burnt; empty if they would not, or if too few calls or labels tell."""
    if first is None or last is None or n_known < 2 * limits.window:
        return ""
    if last > limits.restless_steps or last >= limits.growth_min * first:
        return ""
    if canary_first is None or canary_last is None or canary_last <= limits.fall_max * canary_first:
        return ""
    return (
        f"It calls all the time, and labels do not help: the last {limits.window} calls came {last:g} steps apart (the "
        f"first {first:g}), and the error before learning went from {canary_first:.3g} to {canary_last:.3g} eV/Å. "
        "Raise call_threshold, give more first frames, or take a gentler condition."
    )


def _median(values: Sequence[int]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _rms(values: FloatArray) -> float | None:
    return rmse(values) if len(values) else None


def _lists(calibration: Calibration) -> dict[str, list[float]]:
    """Return the tuples as JSON gives them back, so that a number is the same read and written."""
    return {name: list(getattr(calibration, name)) for name in ("quantile_std", "quantile_error")}
