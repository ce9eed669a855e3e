"""``aiida-seireact demo``: the whole loop on a small cell, in a folder and a profile of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import use_this_environment

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

PROFILE = "seireact-demo"
NEEDED_DISK_GB = 2.0
NEEDED_MEMORY_GB = 4.0
LOOK_FOR_TROUBLE_EVERY_SECONDS = 30.0
BROKER_SECONDS = 60.0
INTERRUPTED = 130
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

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


@dataclass(frozen=True)
class Folder:
    """Where the demo keeps its things."""

    path: Path

    @property
    def aiida(self) -> Path:
        """`AIIDA_PATH` of the demo."""
        return self.path / "aiida"

    @property
    def work(self) -> Path:
        """Scratch folder of the computer."""
        return self.path / "work"

    @property
    def env(self) -> Path:
        """Script that points `verdi` at the demo."""
        return self.path / "env.sh"

    @property
    def shown(self) -> str:
        """The folder as a person would type it here."""
        try:
            return str(self.path.relative_to(Path.cwd()))
        except ValueError:
            return str(self.path)


@click.command("demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"), show_default=True,
    help="Folder of the demo: its own AiiDA, scratch, report.",
)  # fmt: skip
@click.option("--labeller", default="chgnet", show_default=True, help="Calculator of `seireact-label` that labels.")
@click.option("--protocol", default="fast", show_default=True, help="Protocol of the ReactWorkChain.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Daemon workers.")
@click.option("--live/--no-live", default=True, help="Live view; plain lines where the output is no terminal.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and how long it takes; do nothing.")
@click.option(
    "--fresh", is_flag=True, help="Submit anew even if this very demo is there; the cache answers what is known."
)
@click.option("--keep-daemon", is_flag=True, help="Leave the daemon running at the end.")
def demo(
    folder: Path,
    labeller: str,
    protocol: str,
    workers: int,
    live: bool,
    dry_run: bool,
    fresh: bool,
    keep_daemon: bool,
) -> None:
    """Run the whole loop on a small Li | Li6PS5Cl | Li cell, as a person would run a study: label, learn, produce,
    recognise; submitted to the daemon, followed until it is done, told in a report.

    Ctrl-C ends the view, not the run. Called again it goes on where it was, also after a kill or a reboot.
    """
    place = Folder(folder.absolute())
    try:
        refuse_impossible(place)
        if dry_run:
            tell_plan(place, labeller, protocol, workers)
            return
        point_aiida_at(place)
        with interruptible():
            code = run(place, labeller, protocol, workers, live=live, fresh=fresh, keep_daemon=keep_daemon)
    except KeyboardInterrupt:
        click.echo()
        click.echo(f"Interrupted while setting up; nothing is broken: {again(place)} goes on.")
        code = INTERRUPTED
    sys.exit(code)


def run(
    place: Folder, labeller: str, protocol: str, workers: int, *, live: bool, fresh: bool, keep_daemon: bool
) -> int:
    """Set up, submit or find the run, follow it, report; return the exit status."""
    from aiida.engine import submit

    from aiida_seireact.cli.render.live import Follower

    set_up(place, workers)
    builder = build(labeller, protocol)
    node = None if fresh else find(builder.metadata.label)
    if node is not None and node.is_finished_ok:
        click.echo(f"This demo is done already (process {node.pk}); the report is made again. --fresh runs it anew.")
        return conclude(place, node)
    if node is not None and node.is_terminated:
        click.echo(f"Process {node.pk} of last time ended ({why(node)}).")
        click.echo("It is submitted anew; what succeeded comes from the cache.")
        node = None
    start_daemon(workers)
    try:
        if node is None:
            with undisturbed():
                node = submit(builder)
            click.echo(f"Submitted {node.process_label} <{node.pk}> to the daemon.")
        else:
            click.echo(f"Going on with {node.process_label} <{node.pk}>, submitted {node.ctime:%-d %b %H:%M} UTC.")
        Follower(node, expected=EXPECTED_SECONDS.get(protocol), folder=place.shown, live=live).follow(guard=Guard())
        code = conclude(place, node)
    except KeyboardInterrupt:
        if node is None:
            raise
        tell_how_to_go_on(place, node)
        return INTERRUPTED
    if not keep_daemon:
        stop_daemon()
    return code


# -------------------------------------------------------------------------------- before the start
def refuse_impossible(place: Folder) -> None:
    """Stop before anything is made where the machine can't do it.

    :raises click.ClickException: a path AiiDA can't take, or too little disk.
    """
    # AIIDA_PATH is a list; and the daemon of aiida-core 2.9.4 splits the path of its broker's folder at spaces.
    if os.pathsep in str(place.path) or any(letter.isspace() for letter in str(place.path)):
        raise click.ClickException(
            f"AiiDA can't work in {str(place.path)!r}, because of the space or {os.pathsep!r} in it: choose another "
            "folder with --folder, or move the project."
        )
    there = next(parent for parent in (place.path, *place.path.parents) if parent.exists())
    if not os.access(there, os.W_OK):
        raise click.ClickException(f"{there} can't be written to: choose another folder with --folder.")
    free = shutil.disk_usage(there).free / 1024**3
    if free < NEEDED_DISK_GB:
        raise click.ClickException(
            f"Only {free:.1f} GB are free on the disk of {place.path}, and the demo needs {NEEDED_DISK_GB:g} GB: "
            "make room, or choose a folder on another disk with --folder."
        )
    import psutil

    memory = psutil.virtual_memory().available / 1024**3
    if memory < NEEDED_MEMORY_GB:
        click.secho(
            f"Only {memory:.1f} GB of memory are free, the demo likes {NEEDED_MEMORY_GB:g} GB: close what you can; "
            "if a program is killed, it starts again by itself.",
            fg="yellow",
        )


def point_aiida_at(place: Folder) -> None:
    """Make the demo's folder the only AiiDA this process and its daemon know; the user's is never opened.

    :raises RuntimeError: AiiDA is imported already, with the user's configuration.
    """
    if "aiida.manage.configuration.settings" in sys.modules:
        raise RuntimeError("AiiDA was imported before the demo could point it at its own folder.")
    # AiiDA warns about each folder that it makes itself.
    (place.aiida / ".aiida").mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["AIIDA_PATH"] = str(place.aiida)
    # One job a core: threads of their own would only get in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    use_this_environment()
    write_env(place)


def write_env(place: Folder) -> None:
    """Write the script that points a shell at the demo."""
    from aiida_seireact.formats.atomic import write_atomically

    scripts = Path(sys.executable).parent
    lines = [
        "# Points verdi and aiida-seireact of this shell at the demo:  source " + shlex.quote(str(place.env)),
        f"export AIIDA_PATH={shlex.quote(str(place.aiida))}",
        f'export PATH={shlex.quote(str(scripts))}:"$PATH"',
    ]
    with write_atomically(place.env) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def set_up(place: Folder, workers: int) -> None:
    """Make or reuse profile, computer and codes, by the same function as `aiida-seireact setup`.

    :raises click.ClickException: a program is not installed.
    """
    from aiida_seireact.cli.installation import SetupError, install

    try:
        steps = install(PROFILE, workers=workers, work_dir=place.work)
    except SetupError as error:
        raise click.ClickException(str(error)) from None
    missing = [step for step in steps if step.outcome == "missing"]
    if missing:
        for step in missing:
            click.secho(f"  {step.thing}: {step.detail}", fg="red")
        raise click.ClickException(
            "These programs are missing; `make install` brings them all, then call the demo again."
        )
    made = [step.thing for step in steps if step.is_change and not step.thing.startswith("option")]
    click.echo(f"AiiDA in {place.shown}/aiida: {'made ' + ', '.join(made) if made else 'as it was'}.")


# -------------------------------------------------------------------------------- the run
def build(labeller: str, protocol: str) -> Any:
    """Return the process builder of the demo; its label names the content of all inputs, and so finds the run again.

    :raises click.ClickException: no such protocol.
    """
    from aiida import orm

    from aiida_seireact.workchains.react import ReactWorkChain

    try:
        builder: Any = ReactWorkChain.get_builder_from_protocol(protocol=protocol)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    for holder, name in _labelling_inputs(builder):
        settings = holder[name].get_dict()
        if settings["calculator"].get("name") != labeller:
            # Keyword arguments are those of the protocol's own labeller: another has none of them.
            holder[name] = orm.Dict({**settings, "calculator": {"name": labeller}})
    digest = content_hash(builder._inputs(prune=True))
    builder.metadata.label = f"demo · {labeller} · {protocol} · {digest[:10]}"
    return builder


def _labelling_inputs(builder: Any) -> Iterator[tuple[Any, str]]:
    for name in ("label", "relax", "reference_labeller_md"):
        yield builder, name
    for name in list(builder.labeller_md):
        yield builder.labeller_md, name


def content_hash(inputs: Mapping[str, Any]) -> str:
    """Return a hash of the content of all input nodes, by port; what is no node does not count."""
    from aiida import orm
    from aiida.common.hashing import make_hash

    found: dict[str, str] = {}

    def walk(prefix: str, port: Any) -> None:
        if isinstance(port, orm.Data):
            # `compute_hash` insists on stored nodes; these are what it hashes.
            found[prefix] = make_hash(port.base.caching.get_objects_to_hash())
        elif isinstance(port, Mapping):
            for name, value in port.items():
                walk(f"{prefix}.{name}", value)

    walk("", inputs)
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def find(label: str) -> ProcessNode | None:
    """Return the newest process with this label, or None."""
    from aiida import orm

    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"label": label}, tag="node")
    node: ProcessNode | None = query.order_by({"node": {"id": "desc"}}).limit(1).first(flat=True)
    return node


def start_daemon(workers: int) -> None:
    """Start the daemon, or mend one that a kill or a reboot left in pieces.

    :raises click.ClickException: it does not start.
    """
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    from aiida_seireact.cli.watchdog import mend, signs_of_trouble

    client = get_daemon_client()
    try:
        if any(sign.curable for sign in signs_of_trouble()):
            mend(lambda line: click.echo(f"  {line}"))
        elif not client.is_daemon_running:
            client.start_daemon(number_workers=workers)
    except (DaemonException, RuntimeError) as error:
        raise click.ClickException(f"The daemon did not start: {error}") from None
    await_broker()


def await_broker(seconds: float = BROKER_SECONDS) -> None:
    """Wait until the broker answers: on a busy machine it needs longer than a submission would wait for it.

    :raises click.ClickException: it does not answer in time.
    """
    from aiida.brokers.zeromq import ZeromqBroker
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    deadline = time.monotonic() + seconds
    while isinstance(broker, ZeromqBroker) and not broker.check_service_reachable():
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"AiiDA's broker does not answer after {seconds:.0f} s: `aiida-seireact doctor --mend` tells more."
            )
        time.sleep(0.2)


def stop_daemon() -> None:
    """Stop the daemon; one that can't be stopped is told, since the run is over."""
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    try:
        client = get_daemon_client()
        if client.is_daemon_running:
            client.stop_daemon(wait=True)
    except DaemonException as error:
        click.secho(f"The daemon did not stop ({error}): `verdi daemon stop`.", fg="yellow")


class Guard:
    """Looks for signs of a hang now and then, says them, and mends what stays."""

    def __init__(self, every_seconds: float = LOOK_FOR_TROUBLE_EVERY_SECONDS) -> None:
        self.every_seconds = every_seconds
        self._next = time.monotonic() + every_seconds
        self._before: frozenset[str] = frozenset()

    def __call__(self, say: Callable[[str], None]) -> list[str]:
        """Look if it is time; mend what was there the last time too, since a restarting worker is no trouble.

        :param say: called with each line about mending.
        :returns: the signs, for the view; empty while it is not time.
        """
        from aiida_seireact.cli.watchdog import mend, signs_of_trouble

        if time.monotonic() < self._next:
            return sorted(self._before)
        signs = signs_of_trouble(patience_seconds=4 * self.every_seconds)
        curable = frozenset(sign for sign in signs if sign.curable)
        if curable & self._before:
            for sign in sorted(curable):
                say(f"Trouble: {sign}")
            try:
                for line in mend():
                    say(f"  {line}")
                signs = []
            except RuntimeError as error:
                say(f"  {error}")
        self._before = frozenset(signs)
        self._next = time.monotonic() + self.every_seconds
        return sorted(self._before)


# -------------------------------------------------------------------------------- afterwards
def conclude(place: Folder, node: ProcessNode) -> int:
    """Write report and summary, print what matters; return 0 for a run that finished well, else 1."""
    from aiida_seireact.cli.report import key_numbers, write_report

    data, written = write_report(node, place.path)
    click.echo()
    for line in key_numbers(data):
        click.echo(f"  {line}")
    click.echo()
    seconds = {name: value for name, value in data.seconds_by_stage.items() if name != "total"}
    click.echo("Seconds by stage: " + ", ".join(f"{name} {value:.0f}" for name, value in seconds.items()))
    click.echo(f"in all {data.seconds:.0f} s, {len(data.processes)} processes, "
               f"{sum(process.member.from_cache for process in data.processes)} of them from the cache.")  # fmt: skip
    click.echo()
    for path in written:
        click.echo(f"  {place.shown}/{path.name}")
    click.echo()
    if data.ended_well:
        click.secho(f"Done. Open {place.shown}/report.html in a browser. Then:", fg="green")
    else:
        click.secho(f"Process {node.pk} did not finish: {why(node)}", fg="red")
        click.echo("The report shows how far it came. Then:")
    click.echo(f"  source {place.shown}/env.sh")
    for command, text in (
        (f"verdi process show {node.pk}", "inputs, outputs, children"),
        (f"verdi node graph generate {node.pk}", "the graph as a picture"),
        (f"aiida-seireact trace {node.pk}", "any number back to the labels under it"),
        (
            f"{again(place)}{' --fresh' if data.ended_well else ''}",
            "from the cache" if data.ended_well else "once more",
        ),
    ):
        click.echo(f"  {command:<44} # {text}")
    return 0 if data.ended_well else 1


def why(node: ProcessNode) -> str:
    """Return why a process ended without success."""
    if node.exit_message:
        return f"exit status {node.exit_status}: {node.exit_message}"
    return f"it was {node.process_state.value}" if node.process_state else "it was lost"


def again(place: Folder) -> str:
    """Return what to type to call this demo again."""
    return (
        "aiida-seireact demo" if place.shown == "demo" else f"aiida-seireact demo --folder {shlex.quote(place.shown)}"
    )


def tell_how_to_go_on(place: Folder, node: ProcessNode) -> None:
    """Say, after Ctrl-C, that the run goes on and how to watch, pause or end it."""
    click.echo()
    click.echo(f"The view ended; process {node.pk} goes on in the daemon.")
    for command, text in (
        (f"{again(place)}", "watch again (or make demo); it never starts twice"),
        (f"source {place.shown}/env.sh", "point verdi at the demo, then"),
        (f"verdi process status {node.pk}", "  how far it is"),
        (f"verdi process pause {node.pk}", "  halt; `verdi process play` goes on"),
        (f"verdi process kill {node.pk}", "  end it with all its programs"),
        ("verdi daemon stop", "  stop all for now; the demo called again goes on"),
    ):
        click.echo(f"  {command:<44} # {text}")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold an interrupt back: one between the storing of a process and its task leaves a process nobody works on."""
    caught: list[int] = []
    before = {number: signal.signal(number, lambda *told: caught.append(told[0])) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the view as Ctrl-C does, with the run left to the daemon."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -------------------------------------------------------------------------------- dry run
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
