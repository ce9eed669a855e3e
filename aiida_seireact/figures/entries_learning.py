"""Figures of learning: what the training set covers, when a label was called for, how well the model learned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aiida_seireact import query
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.entry import LPSC, OURS, Entry
from aiida_seireact.figures.figure import Reference
from aiida_seireact.figures.tables import QUANTITY, VALUE, below_each_other, chosen
from aiida_seireact.query import What

CAMPAIGN = "`campaigns` ← `seireact.campaign`"
TRAINING = "`predictions`, `metrics` ← `seireact.allegro`"
ERRORS = {
    "energy_rmse_mev_per_atom": "energy",
    "force_rmse_ev_per_ang": "forces",
    "stress_rmse_gpa": "stress",
}
ERROR_LABELS = {"energy": "RMSE (meV/atom)", "forces": "RMSE (eV/Å)", "stress": "RMSE (GPa)"}
CURVES = {
    "validation_energy_rmse_mev_per_atom": "energy",
    "validation_force_rmse_ev_per_ang": "forces",
    "validation_stress_rmse_gpa": "stress",
    "training_loss": "training loss",
}


def calls_with_ends(what: What) -> pd.DataFrame:
    """Return the calls of each condition, and where its curve begins and ends, as its campaign tells.

    A condition that never called has a curve too.
    """
    campaigns = query.campaigns(what)
    ends = campaigns.rename(columns={"n_calls": "call"})
    ends = ends[[column for column in ends if column in query.calls(what)]]
    starts = ends.assign(call=0, time_ps=0.0)
    found = pd.concat([starts, query.calls(what), ends], ignore_index=True)
    found["call"] = found["call"].astype(float)
    order = found.groupby(["run_uuid", "condition"], sort=False).ngroup()
    return found.iloc[np.lexsort((found["call"], found["time_ps"], order))].reset_index(drop=True)


def before_after(what: What) -> pd.DataFrame:
    """Return the error of each model and of its parent on the same test frames, by config type: RMSE in meV/atom."""
    rows = chosen(query.parity(what, "energy"))
    pairs = rows.groupby("process_uuid")["predicted_by"].transform("nunique") == 2
    rows = rows[pairs].assign(square=lambda table: (table["predicted"] - table["reference"]) ** 2)
    keys = [column for column in rows if column not in ("square", "predicted", "reference", "frame_id", "component")]
    found = rows.groupby(keys, sort=False, dropna=False)["square"].agg(["mean", "size"]).reset_index()
    found["rmse_mev_per_atom"] = 1000.0 * np.sqrt(found.pop("mean"))
    found["moment"] = found["predicted_by"].map({"parent": "before", "model": "after"})
    order = np.lexsort((found["predicted_by"] == "model", found.groupby("process_uuid", sort=False).ngroup()))
    return found.iloc[order].rename(columns={"size": "n_frames"}).reset_index(drop=True)


LEARNING = {
    "calls": Entry(
        title="Calls for labels with time",
        paper=LPSC,
        shows="DFT calls against MD time under each condition of active learning",
        caption="Each step is a call of the Gaussian process for a label; a curve ends where MD ended.",
        queries=("calls", "campaigns"),
        nodes=CAMPAIGN,
        needs="explore conditions",
        read=calls_with_ends,
        chart=Chart(
            "line", "time_ps", "call", x_label="MD time (ps)", y_label="calls for a label", series="condition",
            is_step=True, from_zero=True, has_mean=False,
        ),
    ),
    "uncertainty": Entry(
        title="Uncertainty along MD",
        paper=LPSC,
        shows="largest atomic uncertainty of the Gaussian process along active learning",
        caption="Largest uncertainty of an atom, over the kernel's signal standard deviation.",
        queries=("uncertainties",),
        nodes="`trace` ← `seireact.flare`",
        needs="explore conditions",
        read=lambda what: query.uncertainties(what),
        chart=Chart(
            "line", "time_ps", "max_std", x_label="MD time (ps)", y_label="largest uncertainty", panel="condition",
            from_zero=True, has_mean=False, columns=1,
        ),
    ),
    "canaries": Entry(
        title="Error on each label before it was learned",
        paper=OURS,
        shows="whether the Gaussian process knew what it did not know",
        caption="Force error of the Gaussian process on each new label, before that label was learned.",
        queries=("canaries",),
        nodes=CAMPAIGN,
        needs="explore conditions",
        read=lambda what: query.canaries(what),
        chart=Chart(
            "scatter", "time_ps", "force_rmse_ev_per_ang", x_label="MD time (ps)", y_label="force RMSE (eV/Å)",
            series="condition", from_zero=True, has_mean=False,
        ),
    ),
    "calibration": Entry(
        title="Error against uncertainty",
        paper=OURS,
        shows="whether the uncertainty of an atom tells its force error",
        caption="Each atom of each new label before it was learned; both axes are logarithmic.",
        queries=("canary_atoms",),
        nodes="`canary` ← `seireact.flare`",
        needs="explore conditions",
        read=lambda what: query.canary_atoms(what),
        chart=Chart(
            "scatter", "std", "force_error_ev_per_ang", x_label="uncertainty", y_label="force error (eV/Å)",
            series="condition", x_scale="log", y_scale="log", has_mean=False,
        ),
    ),
    "training": Entry(
        title="Training curve",
        paper=OURS,
        shows="errors on the validation frames against the epoch",
        caption="Errors on the validation frames after each epoch, and the training loss.",
        queries=("curves",),
        nodes="`curve` ← `seireact.allegro`",
        needs="train a model",
        colour="model",
        read=lambda what: below_each_other(query.curves(what), CURVES),
        chart=Chart(
            "line", "epoch", VALUE, x_label="epoch", panel=QUANTITY, member="process_uuid", y_scale="log",
            y_labels={**ERROR_LABELS, "training loss": "loss"}, has_mean=False,
        ),
    ),
    "parity": Entry(
        title="Parity of energies, forces and stresses",
        paper=LPSC,
        shows="predicted against DFT energies, forces and stresses, by system",
        caption="Test frames, which no training saw: predicted against the label, by config type.",
        queries=("parity",),
        nodes=TRAINING,
        needs="train a model",
        colour="model",
        read=lambda what: chosen(query.parity(what), predicted_by="model"),
        chart=Chart(
            "scatter", "reference", "predicted", x_label="label", y_label="model", series="config_type",
            panel="quantity", member="model_hash", side_by_side=True, is_square=True, has_mean=False, columns=3,
            references=(Reference("diagonal"),), units={"energy": "eV/atom", "forces": "eV/Å", "stress": "GPa"},
        ),
    ),
    "errors": Entry(
        title="Errors by system",
        paper=LPSC,
        shows="table of test errors by system and composition",
        caption="Root mean square errors on the test frames of each config type; `all` is over all of them.",
        queries=("models",),
        nodes=TRAINING,
        needs="train a model",
        colour="model",
        read=lambda what: below_each_other(query.models(what), ERRORS),
        chart=Chart(
            "bar", "config_type", VALUE, x_label="", panel=QUANTITY, member="model_hash", y_labels=ERROR_LABELS,
            from_zero=True, has_mean=False, columns=1,
        ),
    ),
    "before_after": Entry(
        title="Errors before and after learning from the run",
        paper=LPSC,
        shows="energies of the expected products before and after frames of them were added (331 and < 3 meV/atom)",
        caption="Energy error of a model and of the one it began with, on the same test frames; from their parity.",
        queries=("parity",),
        nodes="`predictions`, `parent_predictions` ← `seireact.allegro`",
        needs="augment a model, so that there is one before and one after",
        read=before_after,
        chart=Chart(
            "bar", "config_type", "rmse_mev_per_atom", x_label="", y_label="energy RMSE (meV/atom)",
            series="moment", from_zero=True, has_mean=False,
        ),
    ),
}  # fmt: skip
