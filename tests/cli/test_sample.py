"""First training sets from the command line: on files alone, and in a profile."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiida import orm
from aiida.manage import get_manager
from ase.build import bulk
from ase.io import read, write
from click.testing import CliRunner, Result

from aiida_seireact.cli.main import cli
from aiida_seireact.formats.jobs.sample import SamplePlan
from aiida_seireact.workchains import sample as workchain
from tests.computers import local_computer

PLAN = """
seed: 1
classes:
  - {kind: bulk, of: Cu, count: 4, max_atoms: 8}
  - {kind: amorphous, of: Cu, count: 3, n_atoms: 32, scale: 0.75}
  - {kind: dimer, count: 4}
  - {kind: isolated_atom}
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    Path("plan.yaml").write_text(PLAN)
    write("Cu.cif", bulk("Cu", a=3.6, cubic=True))

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["sample", *map(str, arguments)])

    return run


def test_a_plan_becomes_files_without_a_profile(call: Any) -> None:
    given = ("plan.yaml", "--cells", "Cu.cif", "--labeller", "emt", "-o", "pool.extxyz")
    result = call(*given, "--report", "coverage.html")
    assert result.exit_code == 0, result.output
    assert "11 frames drawn, 11 chosen (all)" in result.output
    assert "No frame is a surface." in result.output
    images = read("pool.extxyz", index=":")
    assert [atoms.info["config_type"] for atoms in images] == [*["Cu"] * 4, *["Cu-amorphous"] * 3, *["dimer-Cu-Cu"] * 4]
    (atom,) = read("pool-atoms.extxyz", index=":")
    assert atom.info["config_type"] == "isolated_atom"
    page = Path("coverage.html").read_text()
    assert "No frame is a surface." in page
    assert "<svg" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    first = Path("pool.extxyz").read_bytes()
    call(*given)
    assert Path("pool.extxyz").read_bytes() == first


@pytest.mark.parametrize("form", ["svg", "png", "json"])
def test_a_report_is_what_its_ending_says(call: Any, form: str) -> None:
    result = call("plan.yaml", "--cells", "Cu.cif", "--report", f"c.{form}", "--budget", 6)
    assert result.exit_code == 0, result.output
    content = Path(f"c.{form}").read_bytes()
    assert content.startswith({"svg": b"<?xml", "png": b"\x89PNG", "json": b"{"}[form])
    if form == "json":
        assert json.loads(content)["n_frames"] == 6


def test_a_dry_run_writes_nothing(call: Any) -> None:
    result = call("plan.yaml", "--cells", "Cu.cif", "-o", "pool.extxyz", "--report", "c.html", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "Nothing was written (--dry-run)." in result.output
    assert sorted(path.name for path in Path().iterdir()) == ["Cu.cif", "plan.yaml"]


def test_a_written_plan_is_one_to_start_from(call: Any) -> None:
    result = call("--write-plan", "Li", "Li2S", "interface")
    assert result.exit_code == 0
    plan = SamplePlan.model_validate(yaml.safe_load(result.output))
    assert plan.phases == ["Li", "Li2S", "interface"]
    assert "# packed at random" in result.output
    # The lines in comments fit too.
    hidden = re.findall(r"^  # - (\{.*\})$", result.output, re.MULTILINE)
    assert len(hidden) == 2
    SamplePlan.model_validate({"classes": [yaml.safe_load(line) for line in hidden]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "There is no file nowhere.yaml: `--write-plan .*` makes a first one"),
        (["plan.yaml"], "There is no cell 'Cu': none is given, and the library has"),
        (["plan.yaml", "Cu.cif"], "Give one plan, not 2"),
        (["plan.yaml", "--store", "--submit"], "choose one"),
        (["plan.yaml", "--overrides", "plan.yaml"], "give --store or --submit too"),
        (["plan.yaml", "--submit", "-o", "x.extxyz"], "with --submit nothing is yet"),
        (["plan.yaml", "--report", "c.pdf"], "its ending says what is written: .html, .svg"),
        (["plan.yaml", "--cells", "plan.yaml"], "plan.yaml can't be read"),
        (["Cu.cif"], "is no YAML|holds no plan"),
        (["bad.yaml"], "bad.yaml: classes.0.bulk.of: Field required"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(call: Any, arguments: list[str], message: str) -> None:
    Path("bad.yaml").write_text("classes: [{kind: bulk}]")
    result = call(*arguments)
    assert result.exit_code != 0
    assert re.search(message, " ".join(result.output.split())), result.output


@pytest.fixture
def machine(aiida_profile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this machine the one where codes are looked for, with the two programs."""
    computer = local_computer(tmp_path / "scratch")
    codes = {
        name: orm.InstalledCode(
            label=name, computer=computer, filepath_executable=str(Path(sys.executable).parent / f"seireact-{name}")
        ).store()
        for name in ("sample", "label")
    }
    monkeypatch.setattr(workchain, "find_code", codes.__getitem__)


def test_stored_frames_come_of_a_workchain(call: Any, machine: None) -> None:
    Path("emt.yaml").write_text("{calculator: emt, relax: null}")
    profile = get_manager().get_profile().name
    given = ("-p", profile, "plan.yaml", "--cells", "Cu.cif", "--overrides", "emt.yaml", "--labeller", "chgnet")
    result = call(*given, "--store", "-o", "pool.extxyz", "--report", "c.json")
    assert result.exit_code == 0, result.output
    assert "Dimers are left out: CHGNet" in result.output
    found = re.search(r"FramesData <(\d+)>  aiida-seireact label \1", result.output)
    assert found
    frames = orm.load_node(int(found[1]))
    assert len(frames) == len(read("pool.extxyz", index=":")) == 7
    assert frames.creator.process_label == "SampleCalculation"
    assert json.loads(Path("c.json").read_text())["n_frames"] == 7
