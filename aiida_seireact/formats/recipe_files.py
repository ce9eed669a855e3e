"""Recipes of cells as files: YAML or JSON, read with every complaint in words, written short enough to be edited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from aiida_seireact import __version__
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.recipe import Recipe

SUFFIXES = (".yaml", ".yml", ".json")
HEAD = f"""\
# A cell of aiida-seireact {__version__}: aiida-seireact build cell THIS.yaml -o cell.cif
# What is not named has its default: docs/reference/programs.md, seireact-build.
"""


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe, or that of a job file of ``seireact-build``.

    :raises InvalidInput: no file, no YAML or JSON, or keys that don't fit; the sentence names the file.
    """
    try:
        # JSON is YAML, and the YAML parser's complaints name line and column of either.
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InvalidInput(f"{path} is no YAML or JSON: {' '.join(str(error).split())}") from error
    if isinstance(content, dict) and isinstance(content.get("recipe"), dict):
        content = content["recipe"]
    if not isinstance(content, dict):
        raise InvalidInput(
            f"{path} holds no recipe: it is a mapping with phases and slabs, as `--write-recipe` of "
            "`aiida-seireact build interface` writes one."
        )
    try:
        return Recipe.read(content)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {str(error).removeprefix('The recipe: ')}") from error


def write_recipe(path: str | Path, recipe: Recipe) -> None:
    """Write a recipe, atomically; what has its default is left out, but for the seed.

    :raises InvalidInput: neither YAML nor JSON by the end of the name.
    """
    form = Path(path).suffix.lower()
    if form not in SUFFIXES:
        raise InvalidInput(f"A recipe is written as {', '.join(SUFFIXES)}, by the end of the name: not {path}.")
    content = recipe.model_dump(mode="json", exclude_defaults=True) | {"seed": recipe.seed}
    with write_atomically(path) as temporary:
        temporary.write_text(_text(content, form), encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines, as of a CIF, line by line."""


def _in_lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _in_lines)


def _text(content: dict[str, Any], form: str) -> str:
    if form == ".json":
        return json.dumps(content, indent=2) + "\n"
    return HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True)
