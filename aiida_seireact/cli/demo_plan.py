"""What the demo would do and how long it takes, told without AiiDA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from aiida_seireact.cli.demo_folder import NEEDED_DISK_GB, NEEDED_MEMORY_GB, PROFILE, Folder

# Seconds of each stage of the critical path on two cores, for the time left; production runs beside the references.
EXPECTED_SECONDS: dict[str, dict[str, float]] = {
    "fast": {
        "relax": 30,
        "label": 110,
        "dataset": 2,
        "train": 170,
        "references": 130,
        "classify": 15,
        "analyse": 5,
        "summary": 2,
    }
}


def tell_plan(place: Folder, labeller: str, protocol: str, workers: int) -> None:
    """Say what the demo would do, how large it is and how long it takes, without touching anything.

    :raises click.ClickException: no such protocol.
    """
    from aiida_seireact.workchains.protocol import ProtocolMixin, merge

    # The WorkChains themselves would import AiiDA, and that would open the user's configuration.
    def protocol_of(stage: str) -> dict[str, Any]:
        class Reader(ProtocolMixin):
            PROTOCOL_FILE = f"{stage}.yaml"

        return Reader.get_protocol_inputs(protocol)

    try:
        inputs = protocol_of("react")
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    sampled = sum(draw["count"] for draw in inputs["sampling"].values() if isinstance(draw, Mapping))
    runs = [run["md"] for run in inputs["labeller_md"].values()]
    along = sum(run["steps"] // run["label_every"] for run in runs)
    expected = EXPECTED_SECONDS.get(protocol, {})
    produce = protocol_of("produce")["parameters"]
    md = merge(produce, inputs["produce"])["md"]
    reference = merge(produce, inputs["reference_md"])["md"]
    train = merge(protocol_of("train")["parameters"], inputs["train"])["settings"]
    rows = [
        ("folder", f"{place.shown}/: aiida (profile {PROFILE}), work (jobs), env.sh, report.html, summary.json"),
        ("daemon", f"{workers} workers"),
        ("label", f"{sampled} frames drawn, up to {along} from {len(runs)} short runs, by {labeller}"),
        ("learn", f"Allegro, {train['max_epochs']} epochs; package; compiled for LAMMPS"),
        ("produce", f"{md['steps']} steps of {md['timestep_fs']:g} fs at {md['temperature_k']:g} K "
                    f"({md['steps'] * md['timestep_fs'] / 1000:g} ps), stop rule on"),
        ("references", f"{', '.join(inputs['references']['phases'])}: {reference['steps']} steps each"),
        ("recognise", "phases of every Li along the run; PS4, thickness, distribution functions"),
        ("needs", f"{NEEDED_DISK_GB:g} GB of disk, {NEEDED_MEMORY_GB:g} GB of memory"),
    ]  # fmt: skip
    if expected:
        minutes = sum(expected.values()) / 60
        rows.append(("time", f"about {minutes:.0f} minutes on two cores, less where the cache knows a part"))
    click.echo(f"The demo would do this (protocol {protocol}):")
    for name, text in rows:
        click.echo(f"  {name:<11} {text}")
    click.echo("Nothing was done.")
