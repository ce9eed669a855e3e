"""What the demo would do and how long it takes, told without AiiDA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from aiida_seireact.cli.demo_folder import NEEDED_DISK_GB, NEEDED_MEMORY_GB, PROFILE, Folder
from aiida_seireact.cli.demo_overrides import refuse_misplaced, sentence_of, with_labeller

# Seconds of each stage of the critical path on two cores, for the time left; the references run beside production.
EXPECTED_SECONDS: dict[str, dict[str, float]] = {
    "fast": {
        "sample": 45,
        "label": 40,
        "explore": 185,
        "dataset": 2,
        "train": 130,
        "augment": 356,
        "produce": 62,
        "classify": 16,
        "analyse": 5,
        "summary": 2,
    }
}


def tell_plan(
    place: Folder, labeller: str | None, protocol: str, workers: int, overrides: Mapping[str, Any] | None = None
) -> None:
    """Say what the demo would do, how large it is and how long it takes, without touching anything.

    :param overrides: values in place of those of the protocol; what only AiiDA can check is not checked.
    :raises click.ClickException: no such protocol, or overrides that do not fit it.
    """
    try:
        _tell(place, labeller, protocol, workers, overrides or {})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise click.ClickException(sentence_of(error)) from None


def _tell(place: Folder, labeller: str | None, protocol: str, workers: int, overrides: Mapping[str, Any]) -> None:
    from aiida_seireact.workchains.protocol import ProtocolMixin, merge

    # The WorkChains themselves would import AiiDA, and that would open the user's configuration.
    def protocol_of(stage: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        class Reader(ProtocolMixin):
            PROTOCOL_FILE = f"{stage}.yaml"

        # Its refusals name the class.
        Reader.__name__ = f"{stage.capitalize()}WorkChain"
        return Reader.get_protocol_inputs(protocol if stage == "react" else inputs["stages"], changes)

    def settings_of(stage: str, name: str) -> dict[str, Any]:
        settings = protocol_of(stage)["parameters"]
        refuse_misplaced(inputs[name], settings, f"{name}.")
        return merge(settings, inputs[name])

    refuse_misplaced(overrides, protocol_of("react"))
    inputs = protocol_of("react", overrides)
    calculator = with_labeller({}, labeller, inputs["calculator"]).get("calculator", inputs["calculator"])
    name = calculator if isinstance(calculator, str) else calculator["name"]
    sampled = sum(draw["count"] for draw in inputs["sampling"].values() if isinstance(draw, Mapping))
    runs = [run["md"] for run in inputs["labeller_md"].values() if run is not None]
    along = sum(run["steps"] // run["label_every"] for run in runs)
    beside = f", up to {along} from {len(runs)} short runs" if runs else ""
    expected = EXPECTED_SECONDS.get(protocol, {})
    md = settings_of("produce", "produce")["md"]
    reference = settings_of("produce", "reference_md")["md"]
    train = settings_of("train", "train")["settings"]
    rows = [
        ("folder", f"{place.shown}/: aiida (profile {PROFILE}), work (jobs), env.sh, report.html, summary.json"),
        ("daemon", f"{workers} workers"),
        ("label", f"{sampled} frames drawn{beside}, by {name}"),
        *([] if inputs["explore"] is None else [
            ("explore", explored(merge(protocol_of("explore"), inputs["explore"])["conditions"]))
        ]),
        ("learn", f"Allegro, {train['max_epochs']} epochs; package; compiled for LAMMPS"),
        *([] if inputs["augment"] is None else [
            ("augment", augmented(merge(protocol_of("augment"), inputs["augment"])["select"]["runs"]))
        ]),
        *([] if inputs["validate"] is None else [
            ("judge", judged(merge(protocol_of("validate"), inputs["validate"])["scorecard"]))
        ]),
        *([] if inputs["start"] is None else [
            ("start", "safely: the last model minimises, warms up and judges the cell before it runs")
        ]),
        ("produce", f"{md['steps']} steps of {md['timestep_fs']:g} fs at {md['temperature_k']:g} K "
                    f"({md['steps'] * md['timestep_fs'] / 1000:g} ps), stop rule on"),
        ("references", f"{', '.join(inputs['references']['phases'])}: {reference['steps']} steps each"),
        ("recognise", "phases of every Li along the run; PS4, thickness, distribution functions"),
        ("needs", f"{NEEDED_DISK_GB:g} GB of disk, {NEEDED_MEMORY_GB:g} GB of memory"),
    ]  # fmt: skip
    if overrides:
        rows.append(("overridden", ", ".join(overrides)))
    elif expected:
        minutes = sum(expected.values()) / 60
        rows.append(("time", f"about {minutes:.0f} minutes on two cores, less where the cache knows a part"))
    click.echo(f"The demo would do this (protocol {protocol}):")
    for name, text in rows:
        click.echo(f"  {name:<11} {text}")
    click.echo("Nothing was done.")


def explored(conditions: Mapping[str, Any]) -> str:
    """Return in a line what exploration will do."""
    asked = {name: one for name, one in conditions.items() if one is not None}
    legs = max((one["campaign"]["max_legs"] for one in asked.values()), default=0)
    steps = max((one["leg"]["steps"] for one in asked.values()), default=0)
    return f"{', '.join(asked)}: up to {steps} steps in {legs} legs each; a Gaussian process asks where it is unsure"


def judged(scorecard: Mapping[str, Any]) -> str:
    """Return in a line by what the models are judged."""
    lines = [name for name, line in scorecard["lines"].items() if line is not None]
    return f"each model by the scorecard {scorecard['name']}: {', '.join(lines)}"


def augmented(runs: Mapping[str, Any]) -> str:
    """Return in a line what augmentation will do."""
    asked = [run for run in runs.values() if run is not None]
    learned, held_out = (sum(run[part] for run in asked) for part in ("learned", "held_out"))
    return f"the first model's own runs: {learned} frames to learn from, {held_out} to measure it by; then run again"
