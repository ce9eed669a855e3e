"""What a job of seireact-label may say, and the sentence where it may not."""

from __future__ import annotations

import json

import pytest

from aiida_seireact.formats.jobs.base import InvalidInput, read_job
from aiida_seireact.formats.jobs.label import LabelJob

MD = {"task": "md", "calculator": "lj", "frames": "f.npz"}


def job_of(folder, **content) -> LabelJob:
    path = folder / "job.json"
    path.write_text(json.dumps(content))
    return read_job(path, LabelJob)


def test_the_name_of_a_calculator_is_enough(tmp_path):
    short = job_of(tmp_path, calculator="chgnet", frames="f.npz")
    long = job_of(tmp_path, calculator={"name": "chgnet", "kwargs": {}}, frames="f.npz")
    assert short == long
    assert short.task == "label"
    assert short.threads == 1


def test_importing_a_calculator_must_be_allowed_in_words(tmp_path):
    with pytest.raises(InvalidInput, match=r"imports a module and runs its code.*allow_import"):
        job_of(tmp_path, calculator="mace.calculators:mace_mp", frames="f.npz")
    assert job_of(tmp_path, calculator={"name": "a:b", "allow_import": True}, frames="f.npz").calculator.name == "a:b"


def test_md_needs_its_settings(tmp_path):
    with pytest.raises(InvalidInput, match="task md needs the key md with steps and temperature_k"):
        job_of(tmp_path, **MD)


def test_md_that_gives_no_frames_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="label_every 50 is longer"):
        job_of(tmp_path, **MD, md={"steps": 20, "temperature_k": 300, "label_every": 50})


def test_a_chain_that_a_step_would_miss_is_refused(tmp_path):
    md = {"steps": 20, "temperature_k": 300, "timestep_fs": 2.0, "damping_fs": 5.0}
    with pytest.raises(InvalidInput, match=r"damping_fs 5.0 is shorter than 5 time steps of 2.0 fs"):
        job_of(tmp_path, **MD, md={**md, "thermostat": "nose-hoover"})
    assert job_of(tmp_path, **MD, md=md).md.thermostat == "langevin"


def test_what_decides_an_image_is_in_the_hash_of_the_task(tmp_path):
    def hashed(**content):
        return job_of(tmp_path, calculator="lj", frames="f.npz", **content).task_hash("level")

    md = {"steps": 20, "temperature_k": 300}
    assert hashed() == hashed(workers=4) == hashed(threads=2) == hashed(md=md)
    assert len({hashed(), hashed(task="relax"), hashed(task="md", md=md), hashed(task="md", md={**md, "seed": 1})}) == 4
    assert hashed() != hashed(acceptance={"stress": False})


def test_only_isolated_atoms_do_without_frames(tmp_path):
    with pytest.raises(InvalidInput, match="task label needs frames"):
        job_of(tmp_path, calculator="lj")
    with pytest.raises(InvalidInput, match="isolated_atoms needs frames or species"):
        job_of(tmp_path, task="isolated_atoms", calculator="lj")
    assert job_of(tmp_path, task="isolated_atoms", calculator="lj", species=["Li"]).frames is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"calculator": "lj", "frames": "f.npz", "temperature": 300}, "temperature"),
        ({"calculator": "lj", "frames": "f.npz", "task": "anneal"}, "task"),
        ({"calculator": "lj", "frames": "f.npz", "threads": 0}, "threads"),
        ({"calculator": "lj", "frames": "f.npz", "relax": {"cell": "cubic"}}, "relax.cell"),
    ],
)
def test_keys_and_values_that_do_not_fit_are_named(tmp_path, content, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        job_of(tmp_path, **content)
