"""Where a model is from: its other file, its dataset, its training and its parent."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.lineage import compiled_of, dataset_of, parent_of, training_of
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.frames import Frames

CARD: dict[str, Any] = {"species": ["Li"], "cutoff_ang": 5.0, "versions": {}, "metrics": {}}


def potential(kind: str, model_hash: str, dataset_hash: str = "d", **more: Any) -> PotentialData:
    own = {"kind": kind, "model_hash": model_hash, "dataset_hash": dataset_hash}
    return PotentialData(io.BytesIO(b"model"), card={**CARD, **own, **more})


def made_by(label: str, node: PotentialData, **inputs: orm.Data) -> orm.CalcJobNode:
    """Let a process with these inputs make a node."""
    computer = orm.Computer.collection.all()[0]
    job = orm.CalcJobNode(computer=computer)
    job.base.attributes.set("process_label", label)
    for name, data in inputs.items():
        job.base.links.add_incoming(data, link_type=LinkType.INPUT_CALC, link_label=name)
    job.store()
    node.base.links.add_incoming(job, link_type=LinkType.CREATE, link_label="potential")
    node.store()
    return job


@pytest.fixture
def family(aiida_profile_clean: Any, aiida_localhost: orm.Computer) -> dict[str, Any]:
    """A package that was trained from a parent, and two compiled files of it, one for another engine."""
    parent = potential("allegro-package", "old").store()
    package = potential("allegro-package", "new")
    training = made_by("AllegroCalculation", package, parent=parent)
    device = {"torch_version": "2", "device": "cpu"}
    compiled = potential("allegro-compiled", "new", target="pair_allegro", **device)
    made_by("CompileCalculation", compiled, package=package)
    for_ase = potential("allegro-compiled", "new", target="ase", **device)
    made_by("CompileCalculation", for_ase, package=package)
    return {"parent": parent, "package": package, "training": training, "compiled": compiled, "for_ase": for_ase}


def test_package_and_compiled_file_are_one_model(family: dict[str, Any]) -> None:
    for name in ("package", "compiled", "for_ase"):
        found = compiled_of(family[name])
        assert found is not None
        assert found.pk == family["compiled"].pk
        training, parent = training_of(family[name]), parent_of(family[name])
        assert training is not None
        assert training.pk == family["training"].pk
        assert parent is not None
        assert parent.pk == family["parent"].pk


def test_nobody_is_made_up(family: dict[str, Any]) -> None:
    assert compiled_of(family["parent"]) is None
    assert training_of(family["parent"]) is None
    assert parent_of(family["parent"]) is None
    assert dataset_of(family["package"]) is None


def test_the_dataset_is_found_by_its_hash(aiida_profile_clean: Any, labelled: Callable[..., Frames]) -> None:
    frames = FramesData(labelled(4)).store().frames
    dataset = DatasetData([frames], [np.array(["train", "train", "val", "test"])]).store()
    found = dataset_of(potential("sgp", "m", dataset.content_hash))
    assert found is not None
    assert found.pk == dataset.pk
    assert dataset_of(potential("sgp", "m", "")) is None
