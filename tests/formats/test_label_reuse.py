"""A label belongs to a structure, whatever it was made for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.label_reuse import failures_in_order, known_and_missing, labels_in_order

LEVEL = "e" * 64


def bare(*constants: float, config_type: str = "") -> Frames:
    images = [bulk("Cu", a=constant) for constant in constants]
    for image in images:
        image.info["config_type"] = config_type
    return Frames.from_atoms(images)


def labelled(*constants: float) -> Frames:
    images = [bulk("Cu", a=constant) for constant in constants]
    for image in images:
        image.calc = EMT()
        image.get_stress()
    return Frames.from_atoms(images, labels="required", settings_hash=LEVEL)


def test_known_frames_are_labelled_and_the_others_bare() -> None:
    known, missing = known_and_missing(bare(3.5, 3.6, 3.7, config_type="fcc"), [labelled(3.7, 3.9), labelled(3.5)])
    assert known is not None
    assert missing is not None
    assert known.frame_ids == labelled(3.5, 3.7).frame_ids
    assert known.config_type.tolist() == ["fcc", "fcc"]
    assert missing.structure_ids == bare(3.6).structure_ids
    assert not missing.is_labelled


def test_a_structure_given_twice_is_missing_once_and_known_twice() -> None:
    known, missing = known_and_missing(bare(3.5, 3.6, 3.5, 3.6), [labelled(3.6)])
    assert known is not None
    assert missing is not None
    assert len(known) == 2
    assert missing.structure_ids == bare(3.5).structure_ids
    assert known_and_missing(bare(3.5), [])[0] is None
    assert known_and_missing(bare(3.5), [labelled(3.5)])[1] is None


def test_labels_of_frames_to_be_labelled_again_are_not_passed_on() -> None:
    _, missing = known_and_missing(labelled(3.5), [labelled(3.6)])
    assert missing is not None
    assert not missing.is_labelled


def test_labels_of_two_levels_are_refused() -> None:
    with pytest.raises(FramesError, match="one level of theory"):
        labels_in_order(bare(3.5), [labelled(3.5), replace(labelled(3.6), settings_hash="f" * 64)])
    with pytest.raises(FramesError, match="hold no labels"):
        labels_in_order(bare(3.5), [bare(3.5)])


def test_failures_are_told_for_each_frame_of_the_structure() -> None:
    frames = bare(3.5, 3.6, 3.5)
    told = failures_in_order(frames, [{"index": 0, "structure_id": frames.structure_ids[2], "reason": "NaN"}])
    assert [(failure["index"], failure["reason"]) for failure in told] == [(0, "NaN"), (2, "NaN")]
