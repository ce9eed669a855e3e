"""*Watch a run*: its limits are those of the code, its file is taken, and it shows what the command shows."""

from __future__ import annotations

import inspect
import re
from typing import Any

import yaml
from aiida import orm
from rich.console import Console

from aiida_seireact.calculations.monitors import FRAMES_ATOMS_MAX, HUNG_MINUTES, limits_of, monitor, validate_monitors
from aiida_seireact.cli.looking import Sight
from aiida_seireact.cli.production import ENDED_EARLY, Production, sentence
from aiida_seireact.cli.watch import render
from aiida_seireact.formats.halt import CHECK_EVERY
from aiida_seireact.science.run_health import DRIFT_PS, ROWS
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.docs._pages import DOCS, blocks, table

PAGE = DOCS / "howto" / "watch_a_run.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_limits_are_those_of_the_code() -> None:
    told = {row[0].strip("`"): float(row[1]) for row in table(PAGE, "limits")}
    limits = limits_of({}, None)
    known = {**vars(limits), **vars(limits.rule)}
    assert told == {name: value for name, value in known.items() if name != "rule"}
    assert {*told, "frames_atoms_max", "hung_minutes"} == {*inspect.signature(monitor).parameters} - {
        "node",
        "transport",
    }


def test_the_numbers_of_the_text() -> None:
    assert f"cells up to {FRAMES_ATOMS_MAX:,} atoms" in TEXT
    assert HUNG_MINUTES == 60
    assert (ROWS, DRIFT_PS, CHECK_EVERY) == (3, 1.0, 10)
    assert f"exit status {ENDED_EARLY}" in TEXT
    assert ProduceWorkChain.exit_codes.ERROR_ENDED_EARLY.status == ENDED_EARLY
    assert ProduceWorkChain.get_protocol_inputs("long")["monitors"]["health"]["minimum_poll_interval"] == 60


def test_the_file_is_taken_by_any_protocol(aiida_profile: Any) -> None:
    (text,) = [block.text for block in blocks(PAGE) if block.info == "yaml"]
    for protocol in ProduceWorkChain.get_available_protocols():
        inputs = ProduceWorkChain.get_protocol_inputs(protocol, yaml.safe_load(text))
        nodes = {name: orm.Dict(values) for name, values in inputs["monitors"].items()}
        assert validate_monitors({"monitors": nodes}) is None


def test_what_is_shown_is_what_the_command_shows() -> None:
    (shown,) = [block.text for block in blocks(PAGE) if "segment 2 of 4" in block.text]
    told = Production(
        pk=29, name="ProduceWorkChain", state="running", segment=2, n_segments=4, step=41_040, steps=120_000,
        ns=0.08208, ns_asked=0.24, ns_per_day=61.5, hours_left=222 / 3600, core_hours=0.0253, gpu_hours=0.0,
        core_hours_left=0.0616, gpu_hours_left=0.0, stopped_by="",
    )  # fmt: skip
    sight = Sight(told, 48, "running", 319.7, -0.3, 1504.0, -0.002)
    console = Console(width=140)
    with console.capture() as capture:
        console.print(render([sight]))

    def plain(text: str) -> list[str]:
        return [re.sub(r"[▁-█].*", "", line).split() for line in text.strip().splitlines()]

    assert plain(capture.get()) == plain(shown)
    assert sentence(told).startswith("0.0821 of 0.24 ns, 61.5 ns/day, 3 min 42 s left")
