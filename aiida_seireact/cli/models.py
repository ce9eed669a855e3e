"""``aiida-seireact models`` and ``compare``: the models of a profile, where they are from and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, profile_option, terminal

if TYPE_CHECKING:
    from aiida_seireact.data.potential import PotentialData
    from aiida_seireact.formats.verdict import Verdict

NUMBERS = ("pk", "made by", "E meV/atom", "F eV/Å")


@click.command("models", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.option("--kind", metavar="KIND", help="Only models of a kind: allegro-package, sgp, …")
@click.option("--all", "everything", is_flag=True, help="Also what each leg of a campaign handed to the next, and "
              "every file of a model.")  # fmt: skip
def models(profile: str | None, kind: str | None, everything: bool) -> None:
    """List the models of the profile: lineage, errors on frames they never saw and verdict, a line each.

    A model is listed once, however many files of it there are: package and compiled file are one. The newest is first.

    \b
    Examples:
      aiida-seireact models
      aiida-seireact compare 1234 1500
      aiida-seireact validate 1234 --follow
    """
    load(profile)
    from rich.table import Table

    found = models_of(kind=kind, everything=everything)
    if not found:
        which = f" of kind {kind}" if kind else ""
        click.echo(f"There is no model{which} in this profile: `aiida-seireact demo` or a `seireact.train` makes one.")
        return
    table = Table(title=f"{len(found)} models", title_justify="left")
    for name in ("pk", "model", "kind", "species", "dataset", "parent", "made by", "E meV/atom", "F eV/Å", "verdict"):
        table.add_column(name, no_wrap=True, justify="right" if name in NUMBERS else "left")
    for potential in found:
        table.add_row(*row_of(potential))
    terminal().print(table)


def models_of(*, kind: str | None = None, everything: bool = False) -> list[PotentialData]:
    """Return the models of the profile, the newest first, each once.

    A process that a leg has handed to the next one is no model of its own, unless ``everything`` is asked for.
    """
    from aiida import orm

    from aiida_seireact.data.potential import PotentialData

    query = orm.QueryBuilder()
    query.append(PotentialData, filters={"attributes.kind": kind} if kind else {}, project="*", tag="model")
    query.order_by({"model": {"ctime": "desc"}})
    rank = {"allegro-package": 0, "allegro-compiled": 1}
    found: dict[Any, PotentialData] = {}
    for potential in query.all(flat=True):
        if not everything and potential.kind == "sgp" and _is_handed_on(potential):
            continue
        key = potential.uuid if everything else potential.model_hash
        known = found.get(key)
        if known is None or rank.get(potential.kind, 2) < rank.get(known.kind, 2):
            found[key] = potential
    return sorted(found.values(), key=lambda node: node.ctime, reverse=True)


def row_of(potential: PotentialData) -> list[str]:
    """Return the row of a model."""
    from aiida_seireact.data.lineage import parent_of, training_of

    metrics = potential.base.attributes.get("metrics", None) or {}
    training, parent = training_of(potential), parent_of(potential)
    verdict = newest_verdict(potential)
    return [
        str(potential.pk),
        potential.model_hash[:12],
        potential.kind,
        " ".join(potential.species),
        str(potential.base.attributes.get("dataset_hash", "") or "")[:12],
        "" if parent is None else parent.model_hash[:12],
        "" if training is None else f"<{training.pk}>",
        _number(metrics.get("energy_rmse_mev_per_atom"), "{:.1f}"),
        _number(metrics.get("force_rmse_ev_per_ang"), "{:.3f}"),
        "not judged" if verdict is None else _told(verdict),
    ]


def newest_verdict(potential: PotentialData) -> Verdict | None:
    """Return the verdict on a model that decides (`verdict_on`), None if nobody has judged it."""
    from aiida_seireact.cli.verdicts import verdict_on
    from aiida_seireact.formats.verdict import read_verdict

    node = verdict_on(potential)
    return None if node is None else read_verdict(node.get_dict(), potential.model_hash)


@click.command("compare", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("first", metavar="MODEL_PK")
@click.argument("second", metavar="MODEL_PK")
def compare(profile: str | None, first: str, second: str) -> None:
    """Show two models side by side: lineage, errors, speed, and the numbers of their verdicts.

    Numbers of two scorecards, or of unlike held-out frames, are no comparison: it is said where they differ.

    \b
    Examples:
      aiida-seireact compare 1234 1500
    """
    load(profile)
    from rich.table import Table

    from aiida_seireact.cli.produce import model_of
    from aiida_seireact.cli.render.verdicts import side_by_side

    pair = (model_of(first), model_of(second))
    names = (f"<{pair[0].pk}>", f"<{pair[1].pk}>")
    facts = [facts_of(potential) for potential in pair]
    table = Table(title="models", title_justify="left")
    for name in ("", *names):
        table.add_column(name, overflow="fold")
    for name in dict.fromkeys([*facts[0], *facts[1]]):
        table.add_row(name, facts[0].get(name, ""), facts[1].get(name, ""))
    console = terminal()
    console.print(table)
    verdicts = (newest_verdict(pair[0]), newest_verdict(pair[1]))
    if any(verdicts):
        console.print(side_by_side(names, verdicts))
    for sentence in unlike(verdicts):
        click.echo(sentence)


def facts_of(potential: PotentialData) -> dict[str, str]:
    """Return what is told of a model beside another one."""
    from aiida_seireact.cli.render.verdicts import error_rows, headline
    from aiida_seireact.cli.speeds import speeds_of
    from aiida_seireact.data.lineage import parent_of, training_of

    training, parent, verdict = training_of(potential), parent_of(potential), newest_verdict(potential)
    return {
        "model": potential.model_hash[:12],
        "kind": potential.kind,
        "species": " ".join(potential.species),
        "dataset": str(potential.base.attributes.get("dataset_hash", "") or "")[:12],
        "parent": "" if parent is None else parent.model_hash[:12],
        "trained by": "" if training is None else f"{training.process_label} <{training.pk}>",
        **error_rows(potential.base.attributes.get("metrics", None)),
        **speeds_of(potential),
        "verdict": "nobody has judged it" if verdict is None else headline(verdict),
    }


def unlike(verdicts: tuple[Verdict | None, Verdict | None]) -> list[str]:
    """Return in which way two verdicts can't be compared."""
    one, other = verdicts
    if one is None or other is None:
        return []
    sentences = {
        "scorecard_hash": "The scorecards differ: lines of one name may be other tests, or have other targets.",
        "dataset_hash": "The errors are on the held-out frames of two datasets: they are not of the same frames.",
        "settings_hash": "The labels are of two levels of theory: compare no energies.",
    }
    return [sentence for name, sentence in sentences.items() if getattr(one, name) != getattr(other, name)]


def _is_handed_on(potential: PotentialData) -> bool:
    """Whether a leg of a campaign has gone on from this process."""
    from aiida.orm import CalcJobNode

    links = potential.base.links.get_outgoing(node_class=CalcJobNode).all()
    return any(link.link_label == "gp" for link in links)


def _told(verdict: Verdict) -> str:
    failed = len(verdict.failed)
    return f"{verdict.decision} ({failed} of {len(verdict.lines)})" if failed else verdict.decision


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
