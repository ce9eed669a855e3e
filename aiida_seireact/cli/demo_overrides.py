"""Other values than those of the demo's protocol, from a YAML file; read without AiiDA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

CALCULATOR = "calculator"


def read_overrides(file: Path | None) -> dict[str, Any]:
    """Return the content of the file, nothing without a file.

    :raises click.ClickException: it is no YAML, or no mapping of names to values.
    """
    if file is None:
        return {}
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} is no YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise click.ClickException(
            f"{file} must hold values by name, nested as in the protocol, for example `train: {{settings: "
            "{max_epochs: 5}}`."
        )
    return content


def refuse_misplaced(overrides: Mapping[str, Any], protocol: Mapping[str, Any], where: str = "") -> None:
    """Refuse a single value in the place of a group of values; names that do not exist are the protocol's to refuse.

    :raises click.ClickException: with the place.
    """
    for name, value in overrides.items():
        inner, place = protocol.get(name), f"{where}{name}"
        if not isinstance(inner, Mapping) or value is None or name == CALCULATOR:
            continue
        if not isinstance(value, Mapping):
            raise click.ClickException(
                f"`{place}` of the overrides is {value!r}; the protocol has a group of values there"
                f"{': ' + ', '.join(inner) if inner else ''}."
            )
        refuse_misplaced(value, inner, f"{place}.")


def with_labeller(overrides: Mapping[str, Any], labeller: str | None, calculator: Any) -> dict[str, Any]:
    """Return the overrides with another calculator for all labels.

    :param labeller: its name; None: as it was.
    :param calculator: the one so far, a name or a group with one; its settings stay if it is the wanted one.
    """
    name = calculator.get("name") if isinstance(calculator, Mapping) else calculator
    return dict(overrides) if labeller in (None, name) else {**overrides, CALCULATOR: {"name": labeller}}


def sentence_of(error: Exception) -> str:
    """Return what an error of protocol or ports says as one sentence on one line."""
    text = " ".join(str(error).split())
    if type(error) is ValueError:
        return text
    return f"A value of the overrides is missing or of another type than that of the protocol: {text}."
