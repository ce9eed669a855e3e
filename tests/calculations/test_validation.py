from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.formats.jobs.label import LabelJob

validate = job_validator(LabelJob, frames="frames.npz")


def test_good_parameters_pass(aiida_profile):
    assert validate(orm.Dict({"task": "label", "calculator": {"name": "emt"}}), None) is None


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"task": "label", "calculater": {"name": "emt"}}, "calculater"),
        ({"task": "dance", "calculator": {"name": "emt"}}, "dance"),
        ({"task": "label", "calculator": {"name": "emt"}, "frames": "my.npz"}, "filled in by the calculation"),
    ],
)
def test_each_mistake_is_named(parameters, words, aiida_profile):
    assert words in validate(orm.Dict(parameters), None)
