"""The overrides that the pages show are accepted by the study they are for."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from aiida import orm

from aiida_seireact.formats.jobs.label_vasp import VaspSettings
from aiida_seireact.workchains.codes import PROGRAMS
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.react import ReactWorkChain
from tests.docs._pages import all_blocks


def shown_overrides() -> list[tuple[str, dict[str, Any]]]:
    """Return each dictionary that a block of the how-to guides and topics assigns to ``overrides``."""
    found = []
    for block in all_blocks("python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "overrides":
                found.append((block.where, ast.literal_eval(node.value)))
    return found


SHOWN = shown_overrides()


@pytest.fixture
def codes(aiida_localhost: orm.Computer) -> dict[str, orm.AbstractCode]:
    """Return a code for each program that is never run."""
    return {
        name: orm.InstalledCode(label=name, computer=aiida_localhost, filepath_executable="/bin/true").store()
        for name in PROGRAMS
    }


@pytest.mark.parametrize(("where", "overrides"), SHOWN, ids=[where for where, _ in SHOWN])
def test_a_builder_takes_the_overrides(
    where: str, overrides: dict[str, Any], codes: dict[str, orm.AbstractCode]
) -> None:
    if "parameters" in overrides:
        protocol = "fast" if "calculator" in overrides["parameters"] else "paper"
        inputs = LabelWorkChain.get_protocol_inputs(protocol, overrides)
        assert is_laid_over(overrides["parameters"], inputs["parameters"])
        if protocol == "paper":
            VaspSettings.model_validate(inputs["parameters"])
        return
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides=overrides)
    for stage, values in overrides.items():
        if stage == "calculator":
            assert builder.label["calculator"] == builder.relax["calculator"] == values
        elif stage == "explore":
            for name, condition in values["conditions"].items():
                assert (name in builder.conditions) == (condition is not None)
                for key, value in (condition or {}).get("leg", {}).items():
                    assert builder.conditions[name]["leg"][key] == value
        elif stage in ("augment", "start"):
            for part, changes in values.items():
                if part != "protocol":
                    assert is_laid_over(changes, builder[stage][part].get_dict())
        elif isinstance(values, list):
            assert builder[stage].get_list() == values
        else:
            assert is_laid_over(values, builder[stage].get_dict())


def is_laid_over(changes: dict[str, Any], values: dict[str, Any]) -> bool:
    """Return whether each value of ``changes`` is found in ``values``, at the same place."""
    return all(
        is_laid_over(value, values[key]) if isinstance(value, dict) and values[key] else values[key] == value
        for key, value in changes.items()
    )


def test_overrides_are_shown_in_guides_and_topics() -> None:
    assert {where.split("/")[1] for where, _ in SHOWN} >= {"howto", "topics"}
