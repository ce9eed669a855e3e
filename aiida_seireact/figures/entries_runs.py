"""Figures of a run as such: its traces, its health, its speed, what all of it cost."""

from __future__ import annotations

import pandas as pd

from aiida_seireact import query
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.entry import LPSC, OURS, Entry
from aiida_seireact.figures.facts import RUN_OF
from aiida_seireact.figures.tables import QUANTITY, VALUE, below_each_other, summed
from aiida_seireact.query import What
from aiida_seireact.query.health import MEASURES

TRAJECTORY = "`seireact.trajectory` ← `seireact.lammps`"
TRACES = {
    "potential_energy_ev_per_atom": "potential energy",
    "conserved_energy_ev_per_atom": "conserved energy",
    "volume_ang3_per_atom": "volume",
    "temperature_k": "temperature",
    "pressure_gpa": "pressure",
}
TRACE_LABELS = {
    "potential energy": "eV/atom", "conserved energy": "eV/atom", "volume": "Å³/atom", "temperature": "K",
    "pressure": "GPa",
}  # fmt: skip


def traces(what: What) -> pd.DataFrame:
    """Return the thermo tables of the runs of the interface, a row a number; of all runs where there is none."""
    found = query.traces(what)
    of_interface = ~found["path"].str.contains("validate|reference|run_training")
    found = found[of_interface] if of_interface.any() else found
    return below_each_other(found.assign(**{RUN_OF: found["node_uuid"]}), TRACES)


def speeds(what: What) -> pd.DataFrame:
    """Return the speed of each MD job, with what it ran on.

    Without the name of the computer, which an import of an archive may change.
    """
    found = query.speeds(what)
    cores = found["ranks"] * found["threads"]
    on_gpus = found["gpus"].astype(str) + " GPU"
    hardware = on_gpus.where(found["gpus"] > 0, cores.astype(str) + " threads")
    return found.drop(columns="computer").assign(hardware=hardware)


def costs(what: What) -> pd.DataFrame:
    """Return core and GPU hours of each run by what its jobs were for."""
    jobs = query.costs(what)
    hours = summed(jobs.assign(part=""), ["run", "run_uuid", "part", "kind"], ["core_hours", "gpu_hours"])
    found = below_each_other(hours, {"core_hours": "core hours", "gpu_hours": "GPU hours"})
    return found[found.groupby(QUANTITY)[VALUE].transform("sum") > 0].reset_index(drop=True)


RUNS = {
    "cavities": Entry(
        title="Cavities and close atoms with time",
        paper=LPSC,
        shows="that no cavity opens in the interface cell",
        caption="Radius of the largest hole, volume of voids, smallest distance of two atoms.",
        queries=("health",),
        nodes="`analysis_arrays` ← `seireact.analyse`",
        needs="analyse a run (`health` is on by default; voids with `voids`)",
        read=lambda what: query.health(what),
        chart=Chart(
            "line", "time_ps", VALUE, x_label="time (ps)", panel=QUANTITY, from_zero=True,
            y_labels={quantity: f"{quantity} ({unit})" for _, quantity, unit in MEASURES.values()},
        ),
    ),
    "traces": Entry(
        title="Energy, volume, temperature and pressure with time",
        paper=LPSC,
        shows="volume and energy traces of the production runs",
        caption="The thermo table of each run; energies and volume are shared by the atoms.",
        queries=("traces",),
        nodes=TRAJECTORY,
        needs="run MD of a model",
        read=traces,
        chart=Chart(
            "line", "time_ps", VALUE, x_label="time (ps)", panel=QUANTITY, y_labels=TRACE_LABELS, columns=1,
        ),
    ),
    "speed": Entry(
        title="Speed of MD by size",
        paper=LPSC,
        shows="how fast MD of the model is, by the number of atoms",
        caption="Each point is an MD job; seconds are those in MD alone, as its program measured them.",
        queries=("speeds",),
        nodes="`performance` ← `seireact.lammps`",
        needs="run MD of a model",
        read=speeds,
        chart=Chart(
            "scatter", "n_atoms", "ns_per_day", x_label="atoms", y_label="ns/day", series="hardware", x_scale="log",
            y_scale="log", has_mean=False, hover=("steps", "ranks", "threads", "gpus"),
        ),
    ),
    "costs": Entry(
        title="What it cost",
        paper=OURS,
        shows="core and GPU hours of labels, learning, training, MD and analysis",
        caption="Sums over the jobs, failed ones too; what came from the cache cost nothing.",
        queries=("costs",),
        nodes="every calculation job",
        needs="run anything",
        read=costs,
        chart=Chart("bar", "kind", VALUE, x_label="", panel=QUANTITY, y_labels={
            "core hours": "core hours", "GPU hours": "GPU hours"}, from_zero=True, has_mean=False, columns=1),
    ),
}  # fmt: skip
