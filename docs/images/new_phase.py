"""Draw ``new_phase_region.svg``, ``new_phase_cluster.svg`` and ``new_phase_fractions.svg``, as *Find a new phase* says.

Run ``python docs/images/new_phase.py [FOLDER]``: makes the run, classifies it, and adopts what it found.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from aiida_seireact.cli.main import cli

HERE = Path(__file__).parent
RUN = HERE.parent / "howto" / "mixing_run.py"
NAME = "Li2S0.72P0.14Cl0.14"


def said(*words: str) -> str:
    """Run a command of ours and return what it prints."""
    result = CliRunner().invoke(cli, list(words))
    if result.exit_code:
        raise SystemExit(result.output)
    return str(result.output)


def find(folder: Path) -> tuple[str, str]:
    """Make the run in a folder, classify it, adopt its new phase; return what the two commands said."""
    spec = spec_from_file_location("mixing_run", RUN)
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(folder)
    run, phases = str(folder / "run.npz"), str(folder / "run.npz.phases")
    first = said("classify", run, "--reference", str(folder / "references"), "--z", "2.5")
    clusters = [str(number) for number in region(folder)["unknown_clusters"]]
    return first, said("adopt", phases, *clusters, "--name", NAME)


def region(folder: Path) -> Any:
    """Return the antifluorite region of the classification in a folder."""
    result = json.loads((folder / "run.npz.phases" / "result.json").read_text(encoding="utf-8"))
    (found,) = [part for part in result["outputs"]["discovery"]["regions"] if part["like"] == "antifluorite"]
    return found


def draw(folder: Path, worked: Path) -> None:
    """Copy the pictures of a folder that `find` has worked in."""
    first, second = worked / "run.npz.phases", worked / f"run.npz.phases-{NAME}"
    groups = json.loads((first / "result.json").read_text(encoding="utf-8"))["outputs"]["discovery"]["groups"]
    largest = max((group for group in groups if group["kind"] == "unknown"), key=lambda group: group["n_environments"])
    shutil.copy(first / "region_antifluorite.svg", folder / "new_phase_region.svg")
    shutil.copy(first / f"{largest['id'].replace(' ', '_')}.svg", folder / "new_phase_cluster.svg")
    shutil.copy(second / "fractions.svg", folder / "new_phase_fractions.svg")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(*find(Path(name)), sep="\n")
        draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE, Path(name))
