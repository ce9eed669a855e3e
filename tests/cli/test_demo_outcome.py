"""What the demo leaves behind at its end."""

from __future__ import annotations

from pathlib import Path

from aiida import orm

from aiida_seireact.cli import demo_outcome
from aiida_seireact.cli.demo_folder import Folder

from .conftest import finish, workchain


def test_the_demo_draws_for_the_browser_alone(aiida_profile: object, tmp_path: Path, monkeypatch, capsys) -> None:
    top: orm.WorkChainNode = workchain("ReactWorkChain")
    finish(top)
    top.seal()
    asked: list[tuple[str, ...]] = []
    from aiida_seireact.cli import report

    write = report.write_report

    def spy(node: orm.ProcessNode, folder: Path, formats: tuple[str, ...]) -> object:
        asked.append(formats)
        return write(node, folder, ())

    monkeypatch.setattr(report, "write_report", spy)
    assert demo_outcome.conclude(Folder(tmp_path), top) == 0
    assert asked == [("svg",)]
    assert "report.html" in capsys.readouterr().out
