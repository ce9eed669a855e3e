"""``aiida-seireact replay``: a finished process once more, from the cache; or what would have to run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_process, profile_option, terminal
from aiida_seireact.cli._submission import checked, follow, submit, tell_trouble

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import ProcessNode
    from rich.console import Console, RenderableType

    from aiida_seireact.cli.replay_plan import Item, Plan
    from aiida_seireact.cli.replay_told import Told

COLOURS = {"run": "red", "after": "yellow", "cache": "green", "spared": "dim"}
WORDS = {"run": "to run", "after": "after those", "cache": "from the cache", "spared": "not needed again"}
MEANING = {
    "after": ": they take what those make anew, and come from the cache if it is the same",
    "spared": ": repetitions of what failed, and is answered at once now",
}


@click.command("replay", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("process", metavar="PK|UUID")
@click.option("--dry-run", is_flag=True, help="Say what would come from the cache and what would run, and submit "
              "nothing.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask, also where something would run.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it is done, and say what ran. "
              "Ctrl-C leaves; it goes on.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def replay(profile: str | None, process: str, dry_run: bool, yes: bool, wait: bool, as_json: bool) -> None:
    """Submit a finished process again, with the same inputs: what has not changed since comes from the cache.

    It shows that a result can be had again, and what would have to be computed anew: where a program, its version or
    a node has changed, those calculations run, and those after them if the new ones differ. Before anything is
    computed, it is told with the hours it took, and you are asked.

    \b
    Examples:
      aiida-seireact replay 1300 --dry-run     what would run, why, at what cost?
      aiida-seireact replay 1300               once more; what ran is told at the end
      aiida-seireact replay 1300 --json --yes
    """
    load(profile)
    from aiida_seireact.cli.replay_plan import plan_of
    from aiida_seireact.cli.replay_told import cost_of, told_of

    top = load_process(process)
    builder = _restart(top)
    plan = plan_of(top)
    cost = cost_of(plan)
    if not as_json:
        terminal().print(render(top, plan))
        click.echo(cost.sentence)
    elif dry_run:
        click.echo(json.dumps(plan.as_plain() | {"cost": cost.as_plain()}, indent=2))
    if plan.refusals:
        raise click.ClickException(f"It can't be submitted: {plan.refusals[0]}")
    if dry_run:
        if not as_json:
            click.echo("Nothing was submitted (--dry-run).")
        return
    if plan.of("run") and not yes:
        click.confirm("Submit it, and run these?", abort=True, err=True)
    node = _submitted(builder, quietly=as_json)
    if not wait:
        tell_trouble()
        return
    follow(node, _pace(sum(plan.counts.values())))
    told = told_of(top, node)
    if as_json:
        click.echo(json.dumps(told.as_plain(), indent=2))
    else:
        _print_told(terminal(), told)
    if not node.is_finished_ok:
        raise click.ClickException(
            f"{node.process_label} <{node.pk}> did not end well: {node.exit_message or node.process_state}. "
            f"`aiida-seireact status {node.pk}` tells where."
        )


def _restart(top: ProcessNode) -> ProcessBuilder:
    """Return a process again as it was submitted.

    :raises click.ClickException: it is not over, did not end well, is none that is submitted, or is refused today.
    """
    from aiida.orm import CalcFunctionNode, WorkFunctionNode

    name = f"{top.process_label} <{top.pk}>"
    if not top.is_terminated or not top.is_sealed:
        raise click.ClickException(f"{name} is not over: `aiida-seireact status {top.pk}` tells how far it is.")
    if not top.is_finished_ok:
        status = f"ended with exit status {top.exit_status}" if top.is_finished else f"was {top.process_state.value}"
        raise click.ClickException(
            f"{name} {status}: only what ended well is replayed. `aiida-seireact status {top.pk}` tells why it did not."
        )
    if isinstance(top, CalcFunctionNode | WorkFunctionNode):
        above = f": replay what called it, {top.caller.process_label} <{top.caller.pk}>" if top.caller else ""
        raise click.ClickException(f"{name} is a function, which is never submitted by itself{above}.")
    try:
        return checked(top.get_builder_restart())
    except (ValueError, AttributeError) as error:
        raise click.ClickException(
            f"{name} can't be submitted as it was: {' '.join(str(error).split())}. It was run by another version: "
            f"{(top.base.attributes.get('version', None) or {}).get('plugin', 'unknown')}."
        ) from None


def _submitted(builder: ProcessBuilder, *, quietly: bool) -> ProcessNode:
    if not quietly:
        return submit(builder, "status")
    from aiida import engine

    return engine.submit(builder)


def _pace(total: int) -> Callable[[Any], str]:
    """Return a function that tells how far a replay is, anew at each tenth.

    :param total: calculations of the first run.
    """
    from aiida_seireact.cli.replay_told import calculations_of

    texts: dict[int, str] = {}

    def so_far(node: Any) -> str:
        done = [member for member in calculations_of(node) if member.is_terminated]
        cached = sum(member.from_cache for member in done)
        tenth = 10 * len(done) // max(total, 1)
        text = f"{len(done)} of about {total} calculations done, {cached} of them from the cache"
        return texts.setdefault(tenth, text)

    return so_far


# ------------------------------------------------------------------------------------ words
def render(top: ProcessNode, plan: Plan) -> RenderableType:
    """Return a plan for a terminal: the tree, opened where something runs, and why it does."""
    from rich.console import Group
    from rich.text import Text
    from rich.tree import Tree

    mine = plan.items[0]
    root = Tree(_line(plan, mine))
    _grow(root, plan, mine.member.pk)
    told = [Text(f"{_calculations(count)} {WORDS[fate]}{MEANING.get(fate, '')}", COLOURS[fate])
            for fate in WORDS if (count := plan.counts[fate])]  # fmt: skip
    reasons: dict[str, list[str]] = {}
    for item in plan.of("run"):
        reasons.setdefault(item.reason, []).append(item.member.name)
    whys = [Text(f"  {len(names)} × {', '.join(dict.fromkeys(names))}: {reason}") for reason, names in reasons.items()]
    return Group(root, *told[:1], *whys, *told[1:]) if whys else Group(root, *told)


def _calculations(count: int) -> str:
    return f"{count} calculation{'' if count == 1 else 's'}"


def _grow(tree: Any, plan: Plan, pk: int) -> None:
    """Add what a process called; only a branch in which something runs is opened."""
    for item in plan.under(pk):
        if item.fate == "workflow":
            branch = tree.add(_line(plan, item))
            if any(below.fate == "run" for below in plan.below(item.member.pk)):
                _grow(branch, plan, item.member.pk)
        elif item.fate == "run":
            tree.add(_line(plan, item))


def _line(plan: Plan, item: Item) -> Any:
    from rich.text import Text

    if item.fate != "workflow":
        return Text.assemble(item.text, "  ", (WORDS[item.fate], COLOURS[item.fate]))
    fates = [below.fate for below in plan.below(item.member.pk)]
    told = Text(f"{item.text}  ")
    for number, fate in enumerate(fate for fate in WORDS if fate in fates):
        told.append(", " if number else "").append(f"{fates.count(fate)} {WORDS[fate]}", COLOURS[fate])
    return told


def _print_told(console: Console, told: Told) -> None:
    for line in told.lines:
        console.print(line, markup=False, soft_wrap=True)
