"""The floors of the house: an import may only point downwards, and the lower floors do not know AiiDA."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import aiida_seireact

PACKAGE = "aiida_seireact"
FLOORS = (
    "cli",
    "publishing",
    "workchains",
    "calculations",
    "parsers",
    "figures",
    "query",
    "data",
    "programs",
    "formats",
    "science",
)
WITHOUT_AIIDA = ("programs", "formats", "science")


def imported_modules(path: Path, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute dotted name of everything that a module imports, wherever it does so.

    ``package`` is the package the module lies in; ``from a import b`` is given as ``a.b``.
    """
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def violations(root: Path) -> list[str]:
    """Return a sentence for each import under ``root``, a folder named aiida_seireact, that breaks a rule."""
    found = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if inside == Path("__init__.py"):
            own = "the package itself"
        elif inside.parts[0] in FLOORS:
            own = inside.parts[0]
        else:
            found.append(f"{inside} lies on no floor")
            continue
        for line, name in imported_modules(path, (PACKAGE, *inside.parent.parts)):
            where = f"{inside}:{line} imports {name}"
            top, _, rest = name.partition(".")
            if top == "aiida" and own in WITHOUT_AIIDA:
                found.append(f"{where}, but {own} does not know AiiDA")
            floor = rest.partition(".")[0]
            if top == PACKAGE and floor in FLOORS and (own not in FLOORS or is_above(floor, own)):
                found.append(f"{where}, which is above {own}")
            elif top == PACKAGE and {own, floor} & LOOKS_BACK and {own, floor} & RUNS:
                found.append(f"{where}, but what looks back on the graph and what makes it do not know each other")
    return found


# A study must not hang on how it is looked at, and an imported archive is read where nothing can run.
RUNS = {"workchains", "calculations", "parsers"}
LOOKS_BACK = {"publishing", "figures", "query"}


def is_above(floor: str, other: str) -> bool:
    """Tell whether ``floor`` lies above ``other``."""
    return FLOORS.index(floor) < FLOORS.index(other)


def test_every_import_points_downwards() -> None:
    assert violations(Path(aiida_seireact.__file__).parent) == []


def test_every_floor_is_looked_at() -> None:
    root = Path(aiida_seireact.__file__).parent
    assert {path.name for path in root.iterdir() if (path / "__init__.py").exists()} == set(FLOORS)


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("science/a.py", "import aiida", "science/a.py:1 imports aiida, but science does not know AiiDA"),
        ("formats/a.py", "import aiida.orm as o", "imports aiida.orm, but formats does not know AiiDA"),
        ("programs/a.py", "def f():\n    from aiida import orm", "programs/a.py:2 imports aiida.orm"),
        ("formats/jobs/a.py", "from aiida.orm import Node", "but formats does not know AiiDA"),
        ("science/a.py", "from aiida_seireact.formats import frames", "which is above science"),
        ("parsers/a.py", "from aiida_seireact import calculations", "which is above parsers"),
        ("data/a.py", "from ..workchains.label import LabelWorkChain", "which is above data"),
        ("formats/jobs/a.py", "from ...programs import lmp", "which is above formats"),
        ("formats/__init__.py", "from .. import data", "which is above formats"),
        ("__init__.py", "from .science import health", "which is above the package itself"),
        ("helpers.py", "x = 1", "helpers.py lies on no floor"),
        ("workchains/a.py", "from aiida_seireact import query", "and what makes it do not know each other"),
        ("parsers/a.py", "from aiida_seireact.figures.gallery import make", "do not know each other"),
        ("figures/a.py", "from aiida_seireact.workchains.train import TrainWorkChain", "which is above figures"),
        ("query/a.py", "from aiida_seireact.figures import gallery", "which is above query"),
    ],
)
def test_an_offending_module_is_found(tmp_path: Path, module: str, source: str, complaint: str) -> None:
    path = tmp_path / PACKAGE / module
    path.parent.mkdir(parents=True)
    path.write_text(source)
    (found,) = violations(tmp_path / PACKAGE)
    assert complaint in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("data/a.py", "import aiida\nfrom aiida_seireact.formats.frames import Frames\nfrom . import b"),
        ("calculations/functions/a.py", "from ..base import job\nfrom ...science import health"),
        ("figures/a.py", "from aiida_seireact import query\nfrom aiida_seireact.science import hull"),
        ("query/a.py", "from aiida import orm\nfrom ..data.dataset import DatasetData"),
        ("programs/a.py", "import aiidalab\nfrom aiida_seireact import __version__"),
    ],
)
def test_a_well_behaved_module_passes(tmp_path: Path, module: str, source: str) -> None:
    path = tmp_path / PACKAGE / module
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert violations(tmp_path / PACKAGE) == []
