"""What a training does when a job of it does not end well, without a job: nodes as their parsers would leave them."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy.process_states import ProcessState

from aiida_seireact.calculations.functions.trainings import gentler_steps, smaller_batches
from aiida_seireact.data.checkpoint import CheckpointData
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.checkpoint import frames_mark
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.train_settings import TrainSettings
from aiida_seireact.workchains.train import TrainWorkChain, validate_training
from aiida_seireact.workchains.train_handlers import MAX_LOST

CARD = {
    "kind": "allegro-package",
    "species": ["Li", "S"],
    "cutoff_ang": 4.5,
    "dataset_hash": "",
    "versions": {},
    "metrics": {},
}
SETTINGS = {"lr": 0.02, "lr_min": 0.015, "batch_size": 3, "max_epochs": 9}


def checkpoint(epoch: int) -> CheckpointData:
    node = CheckpointData(io.BytesIO(b"zip"))
    facts = {"epoch": epoch, "best_epoch": 0, "best_total": 1.0, "state_hash": f"state {epoch}"}
    node.base.attributes.set_many(facts)
    return node


class Play:
    """A training whose jobs are told how to end."""

    def __init__(self, computer: orm.Computer, dataset: DatasetData, **inputs: Any) -> None:
        code = orm.InstalledCode(label="train", computer=computer, filepath_executable="/bin/true").store()
        energies = orm.Dict({"energies_ev": {"Li": 0.0, "S": 0.0}, "source": "test"})
        parameters = orm.Dict({"settings": SETTINGS})
        given = {"code": code, "dataset": dataset, "parameters": parameters, "reference_energies": energies, **inputs}
        self.computer = computer
        self.process = instantiate_process(get_manager().get_runner(), TrainWorkChain, **given)
        self.process.setup()
        self.process.ctx.children = []
        self.count = itertools.count()

    def job(
        self,
        exit_status: int = 0,
        *,
        done: bool = True,
        epoch: int | None = None,
        rescued: str = "",
        error: float = 1.0,
    ) -> int:
        """End a job; return the status with which the training ends, 0 if it goes on or is done."""
        node = orm.CalcJobNode(computer=self.computer, process_type="aiida.calculations:seireact.allegro")
        node.set_process_label("AllegroCalculation")
        node.set_process_state(ProcessState.FINISHED)
        node.set_exit_status(exit_status)
        node.set_exit_message("the job's own words")
        parent = self.process.ctx.inputs.get("parent")
        if parent is not None:
            node.base.links.add_incoming(parent.store(), LinkType.INPUT_CALC, "parent")
        node.store()
        outputs: dict[str, orm.Node] = {} if epoch is None else {"checkpoint": checkpoint(epoch)}
        if exit_status == 0:
            number = next(self.count)
            outputs |= {
                "metrics": orm.Dict({"done": done, "validation": {"val_total": error}}),
                "curve": orm.ArrayData(),
                "potential": PotentialData(io.BytesIO(b"zip"), card={**CARD, "model_hash": f"model {number}"}),
            }
        if rescued:
            outputs["metrics"] = orm.Dict({"done": False, "validation": {"val_total": error}})
            outputs["potential"] = PotentialData(io.BytesIO(b"zip"), card={**CARD, "model_hash": rescued})
        if parent is not None and "metrics" in outputs:
            outputs["parent_metrics"] = orm.Dict({"model_hash": parent.model_hash})
        for name, output in outputs.items():
            output.base.links.add_incoming(node, LinkType.CREATE, name)
            output.store()
        node.seal()
        ctx = self.process.ctx
        ctx.children = [*ctx.children, node]
        ctx.iteration = len(ctx.children)
        code = self.process.inspect_process()
        return 0 if code is None else code.status

    @property
    def goes_on(self) -> bool:
        return self.process.should_run_process()

    @property
    def next(self) -> Any:
        """The inputs of the next job."""
        return self.process.ctx.inputs

    @property
    def settings(self) -> dict[str, Any]:
        return self.next.parameters["settings"]

    def epoch(self) -> int | None:
        return self.next.checkpoint.epoch if "checkpoint" in self.next else None

    def changes(self) -> dict[str, Any]:
        return {name: node.get_dict() for name, node in self.process.outputs.get("changes", {}).items()}


@pytest.fixture
def play(aiida_profile: Any, aiida_localhost: orm.Computer, labelled) -> Callable[..., Play]:
    """Return a factory of trainings."""

    def make(**inputs: Any) -> Play:
        dataset = DatasetData([labelled(3)], [["train", "train", "val"]]).store()
        return Play(aiida_localhost, dataset, **inputs)

    return make


# ---------------------------------------------------------------- walltimes
def test_a_job_whose_time_was_over_is_followed_by_one_that_goes_on(play) -> None:
    training = play()
    assert training.job(done=False, epoch=3) == 0
    assert training.goes_on
    assert training.epoch() == 3
    assert training.job(done=False, epoch=7) == 0
    assert training.epoch() == 7
    assert training.job(done=True, epoch=8) == 0
    assert not training.goes_on
    assert not training.changes()


def test_too_many_jobs_end_it_with_what_there_is(play) -> None:
    training = play(max_iterations=orm.Int(2))
    assert training.job(done=False, epoch=3) == 0
    assert training.job(done=False, epoch=5) == 540
    assert training.process.outputs["checkpoint"].epoch == 5
    assert training.process.outputs["potential"].model_hash == "model 1"


@pytest.mark.parametrize("status", [410, 120, 140])
def test_a_killed_job_goes_on_from_what_it_kept(play, status: int) -> None:
    training = play()
    training.job(done=False, epoch=3)
    assert training.job(status, epoch=5) == 0
    assert training.epoch() == 5
    # The next one was killed before it kept anything.
    assert training.job(status) == 0
    assert training.epoch() == 5


def test_jobs_that_are_killed_before_they_keep_anything_are_not_tried_for_ever(play) -> None:
    training = play()
    for _ in range(MAX_LOST):
        assert training.job(410) == 0
    assert training.job(410) == 430
    # Of those that come further each time there is no end but that of the jobs.
    training = play()
    for epoch in range(2 * MAX_LOST):
        assert training.job(410, epoch=epoch) == 0


def test_a_job_that_fails_now_and_then_is_tried_again_and_one_that_fails_twice_in_a_row_is_not(play) -> None:
    training = play()
    for epoch in (1, 3, 5):
        assert training.job(420) == 0
        assert training.job(done=False, epoch=epoch) == 0
    assert [training.job(420), training.job(420)] == [0, 430]


def test_a_job_that_a_crash_cut_short_is_run_again_once_also_in_the_midst_of_a_chain(play) -> None:
    training = play()
    assert training.job(done=False, epoch=1) == 0
    # Status 0, and no checkpoint.
    assert training.job(done=False) == 0
    assert training.goes_on
    assert training.epoch() == 1
    assert training.job(done=False) == 430


# ---------------------------------------------------------------- handlers
def test_after_divergence_the_learning_rate_is_halved_and_it_begins_anew(play) -> None:
    training = play()
    assert training.job(421) == 0
    assert training.settings["lr"] == 0.01
    assert training.settings["lr_min"] == 0.01  # never above lr
    assert "parent" not in training.next
    (change,) = training.changes().values()
    assert change == {
        "why": "the loss was not a number any more",
        "settings": {"lr": {"from": 0.02, "to": 0.01}, "lr_min": {"from": 0.015, "to": 0.01}},
    }


def test_or_from_the_best_package_so_far_without_a_checkpoint_of_the_old_rate(play) -> None:
    training = play()
    training.job(done=False, epoch=3)
    assert training.job(421, epoch=4) == 0
    assert training.next.parent.model_hash == "model 0"
    assert training.epoch() is None
    # A checkpoint that is lost later does not bring the old rate back.
    training.job(done=False, epoch=1)
    assert training.job(423) == 0
    assert training.epoch() is None


def test_or_from_what_was_best_before_the_very_job_ran_away(play) -> None:
    training = play()
    assert training.job(421, rescued="best of epoch 7") == 0
    assert training.next.parent.model_hash == "best of epoch 7"
    assert training.settings["lr"] == 0.01


def test_a_training_that_diverges_a_third_time_is_given_up(play) -> None:
    training = play()
    assert [training.job(421), training.job(421)] == [0, 0]
    assert training.settings["lr"] == 0.005
    assert training.job(421) == 430
    assert list(training.changes()) == ["lr_1", "lr_2"]


@pytest.mark.parametrize("status", [422, 110])
def test_too_little_memory_halves_the_batch_and_goes_on(play, status: int) -> None:
    training = play()
    training.job(done=False, epoch=3)
    assert training.job(status, epoch=4) == 0
    assert training.settings["batch_size"] == 1
    assert training.settings["lr"] == 0.02
    assert training.epoch() == 4
    # There is nothing smaller than one frame.
    assert training.job(status) == 430


@pytest.mark.parametrize(
    ("status", "overrides", "place"),
    [
        (421, {"training_module": {"optimizer": {"lr": 0.01}}}, "training_module.optimizer.lr to 0.01"),
        (422, {"data": {"train_dataloader": {"batch_size": 3}}}, "data.train_dataloader.batch_size to 3"),
    ],
)
def test_what_overrides_set_can_t_be_halved(play, status: int, overrides: dict[str, Any], place: str) -> None:
    training = play(parameters=orm.Dict({"settings": SETTINGS, "overrides": overrides}))
    assert training.job(status) == 430
    assert not training.changes()
    with pytest.raises(ValueError, match=place):
        (gentler_steps if status == 421 else smaller_batches)(training.next.parameters)


def test_batches_stay_whole_on_every_device(play) -> None:
    training = play(parameters=orm.Dict({"settings": {"batch_size": 12, "devices": 4}}))
    assert training.job(422) == 0
    assert training.settings["batch_size"] == 4
    assert training.job(422) == 430


def test_a_lost_checkpoint_takes_it_one_back_or_to_the_beginning(play) -> None:
    training = play(checkpoint=checkpoint(1))
    training.job(done=False, epoch=3)
    training.job(done=False, epoch=5)
    assert training.job(423) == 0
    assert training.epoch() == 3
    training = play()
    training.job(done=False, epoch=3)
    assert training.job(423) == 0
    assert training.epoch() is None
    assert training.job(done=True, epoch=8) == 0
    assert not training.goes_on


def test_two_lost_in_a_row_are_not_the_checkpoints_fault(play) -> None:
    """As when torch was upgraded: none of them can be read."""
    training = play()
    training.job(done=False, epoch=3)
    training.job(done=False, epoch=5)
    assert [training.job(423), training.job(423)] == [0, 430]
    assert training.process.outputs["checkpoint"].epoch == 5


def test_in_place_of_a_checkpoint_that_was_given_nothing_begins_anew(play) -> None:
    assert play(checkpoint=checkpoint(1)).job(423) == 430
    assert play(checkpoint=checkpoint(1)).job(421) == 430


# ---------------------------------------------------------------- what it gives out
@pytest.mark.parametrize("status", [310, 420])
def test_a_failed_job_is_followed_from_what_it_kept(play, status: int) -> None:
    training = play()
    training.job(done=False, epoch=3)
    for epoch in (5, 7, 9):
        assert training.job(status, epoch=epoch) == 0
        assert training.epoch() == epoch
    # It comes no further any more.
    assert [training.job(status, epoch=9), training.job(status, epoch=9)] == [0, 430]


def test_a_training_that_is_given_up_gives_out_what_it_has_come_to(play) -> None:
    training = play()
    training.job(done=False, epoch=3)
    training.job(410, epoch=5)
    assert training.job(210) == 430
    assert training.process.outputs["checkpoint"].epoch == 5
    assert training.process.outputs["potential"].model_hash == "model 0"
    training = play(max_iterations=orm.Int(2))
    training.job(done=False, epoch=3)
    assert training.job(410, epoch=5) == 401
    assert training.process.outputs["checkpoint"].epoch == 5
    assert training.process.outputs["potential"].model_hash == "model 0"


@pytest.mark.parametrize(("after", "given"), [(0.3, "best of epoch 7"), (0.1, "model 0")])
def test_the_better_of_before_and_after_a_divergence_is_given_out(play, after: float, given: str) -> None:
    training = play()
    assert training.job(421, rescued="best of epoch 7", error=0.2) == 0
    assert training.job(done=True, epoch=8, error=after) == 0
    training.process.results()
    assert training.process.outputs["potential"].model_hash == given
    assert training.process.outputs["metrics"]["validation"]["val_total"] == min(after, 0.2)
    assert training.process.outputs["checkpoint"].epoch == 8


def test_errors_before_are_those_of_the_parent_that_was_given_not_of_a_rescued_package(play) -> None:
    given = PotentialData(io.BytesIO(b"zip"), card={**CARD, "model_hash": "given"}).store()
    training = play(parent=given)
    assert training.job(421, rescued="best of epoch 7", error=0.2) == 0
    assert training.job(done=True, epoch=8, error=0.1) == 0
    training.process.results()
    assert training.process.outputs["potential"].model_hash == "model 0"
    assert training.process.outputs["parent_metrics"]["model_hash"] == "given"


def test_without_a_parent_there_are_no_errors_before(play) -> None:
    training = play()
    assert training.job(421, rescued="best of epoch 7", error=0.2) == 0
    assert training.job(done=True, epoch=8, error=0.1) == 0
    training.process.results()
    assert "parent_metrics" not in training.process.outputs


@pytest.mark.parametrize(("status", "again"), [(120, True), (140, True), (420, True), (210, False)])
def test_a_compiler_that_was_killed_runs_again(play, status: int, again: bool) -> None:
    training = play()
    job = orm.CalcJobNode(computer=training.computer, process_type="aiida.calculations:seireact.compile")
    job.set_process_state(ProcessState.FINISHED)
    job.set_exit_status(status)
    job.store()
    training.process.ctx.compile_job, training.process.ctx.compile_tries = job, 1
    code = training.process.inspect_compile()
    assert (code is None) == again


@pytest.mark.parametrize(
    ("exception", "again"), [("OperationalError: database is locked", True), ("KeyError: 'model'", False)]
)
def test_a_compiler_that_lost_the_database_runs_again(play, exception: str, again: bool) -> None:
    training = play()
    job = orm.CalcJobNode(computer=training.computer, process_type="aiida.calculations:seireact.compile")
    job.set_process_state(ProcessState.EXCEPTED)
    job.set_exception(exception)
    job.store()
    training.process.ctx.compile_job, training.process.ctx.compile_tries = job, 1
    assert (training.process.inspect_compile() is None) == again


def test_a_checkpoint_of_another_training_is_refused_before_anything_runs(play, labelled, tmp_path) -> None:
    dataset = DatasetData([FramesData(labelled(3)).store().frames], [["train", "train", "val"]]).store()
    other = DatasetData([labelled(3)], [["train", "val", "train"]]).store()
    frames = {}
    for split in ("train", "val"):
        # As the program reads them.
        dataset.frames(split).save(tmp_path / "set.npz")
        frames[f"{split} frames"] = frames_mark(Frames.load(tmp_path / "set.npz").frame_ids)
    node = checkpoint(3)
    node.base.attributes.set("origin", {**TrainSettings(lr=0.01).kept_by_a_checkpoint, **frames, "shifts": {}})

    def told(dataset: DatasetData, **settings: Any) -> str | None:
        parameters = orm.Dict({"settings": {"lr": 0.01, **settings}})
        return validate_training({"checkpoint": node, "dataset": dataset, "parameters": parameters}, None)

    assert told(dataset) is None
    assert told(dataset, batch_size=1, max_time_s=60) is None
    assert "lr was 0.01 and is 0.02" in str(told(dataset, lr=0.02))
    assert "max_epochs was 40 and is 200" in str(told(dataset, max_epochs=200))
    assert "train frames was" in str(told(other))


def test_a_network_that_lammps_can_t_run_is_refused_before_it_is_trained(play) -> None:
    inputs = {"compile_code": object(), "parameters": orm.Dict({"settings": {"learner": "nequip"}})}
    assert "passes messages beyond its cutoff" in str(validate_training(inputs, None))
    assert validate_training({**inputs, "compile": orm.Dict({"target": "ase"})}, None) is None
    parent = PotentialData(io.BytesIO(b"zip"), card={**CARD, "kind": "nequip-package", "model_hash": "gnn"})
    assert "pair_style allegro" in str(
        validate_training({"compile_code": object(), "parameters": orm.Dict({}), "parent": parent}, None)
    )
