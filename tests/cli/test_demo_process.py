"""The process of the demo: it is found again by the content of its inputs."""

from __future__ import annotations

from aiida import orm

from aiida_seireact.cli.demo_process import content_hash


def test_content_of_the_inputs_names_a_run_whatever_their_uuids(aiida_profile_clean) -> None:
    def inputs(epochs: int) -> dict[str, object]:
        return {"train": orm.Dict({"epochs": epochs}), "codes": {"x": orm.Int(1)}, "metadata": {"label": "any"}}

    assert content_hash(inputs(4)) == content_hash(inputs(4))
    assert content_hash(inputs(4)) != content_hash(inputs(5))
