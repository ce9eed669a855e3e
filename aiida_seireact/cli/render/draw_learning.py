"""The figures of the loop's two ways back, with their words: learning on the fly, and from one's own run."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from aiida_seireact.cli.render import figures_learning
from aiida_seireact.cli.render.augmentation import PREFIX, Augmentation, Candidates
from aiida_seireact.cli.render.exploration import Exploration
from aiida_seireact.cli.render.words import counted, number

ALL = "all"
HELD_OUT, OLD_TEST = "held-out frames of its own runs", "test frames it was tested on before"


def draw_exploration(exploration: Exploration, drawn: dict[str, tuple[Figure, str, str]]) -> None:
    """Draw calls against MD time, uncertainty along the MD, canary, uncertainty against error."""
    conditions = {name: condition for name, condition in exploration.conditions.items() if condition.numbers["n_legs"]}
    if not conditions:
        return
    drawn["calls"] = (
        figures_learning.calls(
            {
                name: (one.times_ps(one.label_steps), float(one.times_ps(one.numbers["steps"])))
                for name, one in conditions.items()
            }
        ),
        "Calls for a label against MD time: "
        + "; ".join(
            f"{name}, {counted(len(one.label_steps), 'call')} in {number(float(one.times_ps(one.numbers['steps'])))} ps"
            for name, one in conditions.items()
        )
        + ".",
        "Each dot is an MD step at which an atom was more uncertain than the threshold allows; the bar is where MD "
        "ended. A curve that flattens needs fewer and fewer labels.",
    )
    traced = {
        name: (
            one.times_ps(one.arrays["trace_step"]),
            one.arrays["trace_max_std"],
            one.times_ps(one.label_steps),
            one.settings.call_threshold,
        )
        for name, one in conditions.items()
        if one.settings is not None and len(one.arrays.get("trace_step", ()))
    }
    if traced:
        drawn["uncertainty_along"] = (
            figures_learning.uncertainty_along(traced),
            "Largest uncertainty of an atom along the MD of each condition: "
            + "; ".join(f"{name}, up to {np.nanmax(largest):.2g}" for name, (_, largest, _, _) in traced.items())
            + ".",
            "Dashed: the threshold. After each call the new label is learned, the uncertainty drops, and MD goes on "
            "from the same atoms. The scale is relative: 0 is known, 1 is nothing known at all.",
        )
    birds = {name: one.canary for name, one in conditions.items() if one.canary}
    if birds:
        drawn["canary"] = (
            figures_learning.canary(
                {
                    name: {
                        "force_rmse": [row["force_rmse_ev_per_ang"] for row in rows],
                        "force_rms": [row["force_rms_ev_per_ang"] for row in rows],
                        "asked": [row["asked"] for row in rows],
                    }
                    for name, rows in birds.items()
                }
            ),
            "Force error of the Gaussian process on each new label before learning it: "
            + "; ".join(
                f"{name}, from {rows[0]['force_rmse_ev_per_ang']:.2g} to {rows[-1]['force_rmse_ev_per_ang']:.2g} eV/Å"
                for name, rows in birds.items()
            )
            + ".",
            "In the order of the labels. Diamonds are the frames that stopped the MD, dots those handed out along the "
            "way; the dash above is the size of the forces in that frame, which a useful error stays well below.",
        )
    atoms = {
        name: (one.arrays["canary_std"], one.arrays["canary_force_error"])
        for name, one in conditions.items()
        if len(one.arrays.get("canary_std", ()))
    }
    if atoms:
        correlation = exploration.rank_correlation
        drawn["uncertainty_and_error"] = (
            figures_learning.uncertainty_and_error(atoms),
            f"Uncertainty against force error of {sum(len(std) for std, _ in atoms.values())} atoms, before learning"
            + (f"; rank correlation {correlation:.2f}." if correlation is not None else "."),
            "Every atom of every new label, before it was learned; the line is the median, the band the middle half. "
            + (f"Rank correlation {correlation:.2f}: " + _trust(correlation) if correlation is not None else ""),
        )


def _trust(correlation: float) -> str:
    if correlation >= 0.5:
        return "where the model says it does not know, it is indeed more often wrong."
    if correlation >= 0.2:
        return "uncertainty tells of errors, but only roughly."
    return "here uncertainty says little about the errors: it flags what is new, not what is wrong."


def draw_augmentation(augmentation: Augmentation, drawn: dict[str, tuple[Figure, str, str]]) -> None:
    """Draw the uncertainty along the model's own runs, errors before and after, prediction against label."""
    runs = {_title(run): run for run in augmentation.candidates.values()}
    if runs:
        sure = all(run.has_uncertainty for run in runs.values())
        drawn["chosen"] = (
            figures_learning.chosen_along(
                {
                    title: {
                        "time_ps": run.time_ps,
                        # Without a Gaussian process there is no scale: the frames are shown on the line of their block.
                        "value": run.columns["max_std"] if run.has_uncertainty else np.ones(len(run.time_ps)),
                        "part": run.columns["part"],
                        "chosen": run.columns["chosen"],
                    }
                    for title, run in runs.items()
                },
                of="uncertainty" if sure else "frame",
            ),
            "Frames along the first model's own runs, and those chosen: "
            + "; ".join(f"{title}, {run.n_chosen} of {len(run.time_ps)} frames" for title, run in runs.items())
            + ".",
            "Of each frame the atom that the Gaussian processes of all conditions know least. "
            if sure
            else "No Gaussian process judged these frames; they were chosen by how unlike each other they are.",
        )
    for name, unit in (("forces", "eV/Å"), ("energy", "eV/atom")):
        before, after = augmentation.before.get(name), augmentation.after.get(name)
        if before is None or after is None or not len(before.reference):
            continue
        centre = before.reference.mean() if name == "energy" else 0.0
        errors = [float(np.sqrt(np.mean((each.predicted - each.reference) ** 2))) for each in (before, after)]
        drawn[f"held_out_{name}"] = (
            figures_learning.parity_twice(
                before.reference - centre,
                {"before": before.predicted - centre, "after": after.predicted - centre},
                quantity="energy from its mean" if name == "energy" else name,
                unit=unit,
            ),
            f"Predicted against labelled {name} of the held-out frames: root mean square error {errors[0]:.3g} before, "
            f"{errors[1]:.3g} {unit} after learning.",
            "",
        )
    rows = error_changes(augmentation)
    if rows:
        drawn["before_and_after"] = (
            figures_learning.before_and_after(
                {
                    heading: [(row["type"], row["force_before"], row["force_after"]) for row in part]
                    for heading, part in rows.items()
                },
                xlabel="force error (eV/Å)",
            ),
            "Force error by kind of frame before and after augmentation: "
            + "; ".join(
                f"{row['type']} {row['force_before']:.3g} to {row['force_after']:.3g} eV/Å"
                for part in rows.values()
                for row in part
            )
            + ".",
            "",
        )


def _title(run: Candidates) -> str:
    names = {"production": "run of the production cell", "training": "run of the training cell"}
    return f"{names.get(run.name, run.name)}, {run.n_atoms} atoms"


def error_changes(augmentation: Augmentation) -> dict[str, list[dict[str, Any]]]:
    """Return rows of errors before and after, under a heading each for the new frames and for those of before."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key, heading in (("held_out", HELD_OUT), ("old_test", OLD_TEST)):
        tables = augmentation.numbers.get(key)
        if not tables or not tables["before"] or not tables["after"]:
            continue
        names = sorted(set(tables["before"]) - {ALL})
        # One kind of frame and all of them are the same row.
        names = names if len(names) == 1 else [*names, ALL]
        found[heading] = [
            {
                "type": name.removeprefix(PREFIX),
                "n_frames": tables["before"][name].get("n_frames"),
                "force_before": tables["before"][name]["force_rmse_ev_per_ang"],
                "force_after": tables["after"][name]["force_rmse_ev_per_ang"],
                "rms": tables["before"][name].get("force_rms_ev_per_ang"),
                "energy_before": tables["before"][name].get("energy_rmse_mev_per_atom"),
                "energy_after": tables["after"][name].get("energy_rmse_mev_per_atom"),
                "stress_before": tables["before"][name].get("stress_rmse_gpa"),
                "stress_after": tables["after"][name].get("stress_rmse_gpa"),
            }
            for name in names
            if name in tables["before"] and name in tables["after"]
        ]
    return {heading: rows for heading, rows in found.items() if rows}
