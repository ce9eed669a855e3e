"""Figures of validation: what the training set covers, energy against volume, the numbers of a scorecard."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aiida_seireact import query
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.entry import LPS, LPSC, Entry
from aiida_seireact.figures.figure import Reference
from aiida_seireact.figures.tables import QUANTITY, VALUE, below_each_other
from aiida_seireact.query import What

VERDICT = "`verdict` ← `judge`, called by `seireact.validate`"
BOTH = {"predicted_ev_per_atom": "model", "reference_ev_per_atom": "label"}
OF_COVERAGE = ("class", "phase", "temperature_k", "composition")


def covered(what: What) -> pd.DataFrame:
    """Return the frames that a training set has, by class, phase, temperature and composition."""
    found = query.coverage(what)
    found = found[found["by"].isin(OF_COVERAGE) & (found["n_frames"] > 0)]
    return found.reset_index(drop=True)


def last_dataset(what: What) -> pd.DataFrame:
    """Return the rows of `query.datasets` of the largest dataset of each process asked for."""
    found = query.datasets(what)
    largest = found.groupby("run_uuid", sort=False)["n_frames_of_all"].transform("max")
    found = found[found["n_frames_of_all"] == largest]
    order = found["split"].map({"train": 0, "val": 1, "test": 2})
    found = found.iloc[np.argsort(order, kind="stable")]
    # One dataset may be the output of two processes.
    return found.drop_duplicates(["run_uuid", "dataset_hash", "split", "config_type"]).reset_index(drop=True)


def curves_of_volume(what: What) -> pd.DataFrame:
    """Return energies against volume by model and label, each cell once."""
    found = query.eos(what).drop_duplicates(["run_uuid", "node_uuid", "phase", "frame_id"])
    return below_each_other(found.reset_index(drop=True), BOTH)


def scorecard(what: What) -> pd.DataFrame:
    """Return the numbers of the verdicts that the labeller has one for, too, a row each."""
    found = query.scores(what)
    found = found[found["reference"].notna()].reset_index(drop=True)
    units = found["unit"].where(found["unit"] == "", " (" + found["unit"] + ")")
    found["quantity_of"] = found["quantity"] + units
    return below_each_other(found, {"reference": "label", VALUE: "model"})


def _bars(x: str, **more: object) -> Chart:
    settings: dict[str, object] = {
        "x_label": "", "from_zero": True, "has_mean": False, "columns": 1, "member": "node_uuid", **more,
    }  # fmt: skip
    return Chart("bar", x, **settings)  # type: ignore[arg-type]


VALIDATION = {
    "dataset": Entry(
        title="Frames by type and split",
        paper=LPSC,
        shows="how many frames of each system the final training set has",
        caption="Labelled frames of the largest dataset of each process, by config type and split.",
        queries=("datasets",),
        nodes="`seireact.dataset`",
        needs="gather a dataset, or train on one",
        read=last_dataset,
        chart=_bars("config_type", y="n_frames", y_label="frames", series="split", member="dataset_hash"),
    ),
    "coverage": Entry(
        title="What the first training set covers",
        paper=LPS,
        shows="coverage of the configurations: classes, phases, temperatures, compositions",
        caption="Frames of the first training set by class, phase, temperature and composition.",
        queries=("coverage",),
        nodes="`coverage` ← `seireact.sample`",
        needs="draw a first training set",
        read=covered,
        chart=_bars("value", y="n_frames", y_label="frames", panel="by"),
    ),
    "eos": Entry(
        title="Energy against volume",
        paper=LPSC,
        shows="E(V) curves of reactants and products, by model and DFT",
        caption="Energies of strained cells of each phase by the model, and by the labeller.",
        queries=("eos",),
        nodes="`predictions` ← `seireact.validate` (job)",
        needs="validate a model by a scorecard with a line `eos`",
        colour="model",
        read=curves_of_volume,
        chart=Chart(
            "line", "volume_ang3_per_atom", VALUE, x_label="volume (Å³/atom)", y_label="energy (eV/atom)",
            series=QUANTITY, panel="phase", member="node_uuid", has_mean=False, columns=3,
        ),
    ),
    "elastic": Entry(
        title="Elastic constants",
        paper=LPSC,
        shows="elasticity of bulk Li, by model and DFT",
        caption="Elastic constants by the model and by the labeller.",
        queries=("elastic",),
        nodes=VERDICT,
        needs="validate a model by a scorecard with a line `elastic`",
        colour="model",
        read=lambda what: below_each_other(query.elastic(what), {"reference": "label", VALUE: "model"}),
        chart=_bars("quantity", y=VALUE, y_label="GPa", series=QUANTITY, panel="subject"),
    ),
    "scorecard": Entry(
        title="Numbers of the scorecard",
        paper=LPSC,
        shows="validation tables: energies of products, reactions, volumes, diffusion, melting",
        caption="Each number of a verdict that the labeller has one for, too.",
        queries=("scores",),
        nodes=VERDICT,
        needs="validate a model",
        colour="model",
        read=scorecard,
        chart=_bars("subject", y=VALUE, y_label="", series=QUANTITY, panel="quantity_of", from_zero=False),
    ),
    "dimers": Entry(
        title="Energy of pairs of atoms",
        paper=LPS,
        shows="pairwise curves of the elements",
        why_not=(
            "a scorecard with a line `dimers` judges the curves, and `query.scores` has what it found of each "
            "pair; the curves themselves are no output of the program."
        ),
    ),
    "stability": Entry(
        title="Cavities, phase separation, ballistic atoms",
        paper=LPSC,
        shows="that the first model opened cavities in the interface cell, and the last does not",
        caption="What the stability lines of the scorecard found, over its limit: above 1 it fails; 0 is not drawn.",
        queries=("scores",),
        nodes=VERDICT,
        needs="validate a model by a scorecard with a line `stability`",
        colour="model",
        read=lambda what: _of_stability(query.scores(what)),
        chart=Chart(
            "scatter", "of", VALUE, x_label="", y_label="over its limit", panel="subject", y_scale="log",
            member="node_uuid", has_mean=False, columns=1, references=(Reference("horizontal", 1.0, "limit"),),
        ),
    ),
}  # fmt: skip


def _of_stability(found: pd.DataFrame) -> pd.DataFrame:
    found = found[(found["test"] == "stability") & found["value"].notna()].reset_index(drop=True)
    return found.assign(of=found["quantity"].str.removesuffix(" over its limit"))
