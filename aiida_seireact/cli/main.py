"""The command ``aiida-seireact``. Nothing heavy is imported before a command is chosen."""

from __future__ import annotations

import click

from aiida_seireact import __version__
from aiida_seireact.cli._lazy import LazyGroup

# name: (where it is, what it does). The help is here so that --help imports none of them.
COMMANDS = {
    "setup": ("setup:setup", "Make a profile, a computer and one code a program version; or reuse them."),
    "doctor": (
        "doctor:doctor",
        "Run every program on a toy, look after the daemon, say how to fix what is broken.",
    ),
    "label": ("label:label", "Label frames of a file by any engine; what is labelled already is not computed again."),
    "products": ("products:products", "Predict what forms where two phases meet, and the energy it gives away."),
    "follow-up": (
        "followup:followup",
        "Follow up a composition that was found: energy above the hull with its disorder, Li diffusion, band gap.",
    ),
    "build": (
        "build:build",
        "Build a cell: match two crystals, cut, stack and look; small ones here, large ones as a job.",
    ),
    "sample": ("sample:sample", "Draw a first training set from a plan, and tell what it covers and what it lacks."),
    "explore": ("explore:explore", "Learn on the fly under many conditions, and tell how well each has learned."),
    "train": ("train:train", "Train a network, or a committee, on a dataset, over as many jobs as it takes."),
    "validate": ("validate:validate", "Hold a model against a scorecard: may it be used for production?"),
    "models": ("models:models", "List the models of the profile: lineage, errors and verdict."),
    "compare": ("models:compare", "Show two models side by side: errors, speed, and the numbers of their verdicts."),
    "produce": ("produce:produce", "Run long MD of a trained model, over as many jobs as it takes."),
    "extend": ("produce:extend", "Go on with a run of MD that has ended."),
    "analyse": ("analyse:analyse", "Follow a run of MD, of files or of the profile: what reacted, where, how fast."),
    "adhesion": ("adhesion:adhesion", "Tell the work of separation of two slabs (adhesion), of labelled frames."),
    "classify": ("classify:classify", "Say which phases the atoms of a trajectory belong to, and which are unknown."),
    "relabel": ("relabel:relabel", "Name the clusters of a classification anew, by other references or gates."),
    "adopt": ("relabel:adopt", "Make unknown clusters a phase of its own, under a name of yours."),
    "demo": ("demo:demo", "Run the whole loop on a small Li|Li6PS5Cl|Li cell."),
    "watch": ("watch:watch", "Look at long MD runs: how far, how fast, how healthy, at what cost; or stop one softly."),
    "status": (
        "status:status",
        "Say how far a process is, stage by stage, and what to do if it waits or failed.",
    ),
    "report": ("report:report", "Write the report of a finished process as one HTML file."),
    "figure": ("figure:figure", "Draw the figures of the papers from one or many processes, with their sources."),
    "dataset": ("dataset:dataset", "Look at datasets, bring frames in and out, tell what changed."),
    "trace": (
        "trace:trace",
        "Walk a node, a frame or a number of a report back to the labelling calculations under it.",
    ),
    "replay": (
        "replay:replay",
        "Submit a finished process again, from the cache; or say what would have to run, and why.",
    ),
    "publish": (
        "publish:publish",
        "Write all that stands behind processes into one folder: archive, data, models, figures, citations.",
    ),
    "verify": ("verify:verify", "Check a bundle that somebody published, in a profile of its own."),
}


@click.group(
    "aiida-seireact",
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "-V", "--version", prog_name="aiida-seireact")
@click.option("-p", "--profile", metavar="NAME", help="AiiDA profile; default: the default profile.")
def cli(profile: str | None) -> None:
    """Reactions at lithium-metal/solid-electrolyte interfaces: label, learn, explore, produce, recognise.

    \b
    First steps:
      aiida-seireact setup        once
      aiida-seireact doctor       does everything work?
      aiida-seireact status PK    how far is my process, and what is wrong?
    """
