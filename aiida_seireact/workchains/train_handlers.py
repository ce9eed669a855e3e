"""What a training does when a job of it ends: it goes on, or with other settings, or is given up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessHandlerReport, process_handler

from aiida_seireact.calculations.base import missing_outputs
from aiida_seireact.calculations.functions.trainings import gentler_steps, smaller_batches
from aiida_seireact.data.checkpoint import CheckpointData
from aiida_seireact.workchains.base import OUTPUT_UNREADABLE, PROGRAM_FAILED, ProgramWorkChain, attempt

# How often a change is tried, and how often in a row a job may end without an epoch more than the one before.
MAX_CHANGES = 2
MAX_LOST = 4

OUT_OF_MEMORY = (422, 110)  # the program's own words, the scheduler's
DIVERGED, CHECKPOINT_LOST = 421, 423
# What a job tells of the model it started from.
OF_PARENT = ("parent_metrics", "parent_predictions")


class TrainHandlers(ProgramWorkChain):
    """Base of `TrainWorkChain`: its handlers of jobs, and what they ask of the jobs there are."""

    def setup(self) -> None:
        super().setup()
        self.ctx.changes, self.ctx.bad_checkpoints, self.ctx.lost_jobs, self.ctx.failures = [], [], 0, 0

    # ------------------------------------------------------------ over walltimes
    @process_handler(priority=650)
    def go_on(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """The job ended cleanly before its time was over: the next one goes on from its checkpoint."""
        if not calculation.is_finished_ok or missing_outputs(self.process_class, calculation):
            return None
        if calculation.outputs.metrics["done"]:
            return None
        checkpoint = calculation.outputs.checkpoint
        self.ctx.inputs.checkpoint = checkpoint
        self.ctx.lost_jobs = self.ctx.failures = 0
        if self.ctx.iteration >= self.inputs.max_iterations.value:
            self.ctx.is_finished = True
            self.results()
            unfinished = self.exit_codes.ERROR_TRAINING_UNFINISHED
            return ProcessHandlerReport(True, unfinished.format(jobs=self.ctx.iteration, epoch=checkpoint.epoch))
        self.report(
            f"{calculation.process_label} <{calculation.pk}> came to epoch {checkpoint.epoch}; the next goes on"
        )
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=700)
    def lower_learning_rate(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """The loss is no number any more: half the learning rate, from the best package so far or anew."""
        if calculation.exit_status != DIVERGED:
            return None
        refusal = self._change(gentler_steps, "lr", calculation)
        if refusal:
            return ProcessHandlerReport(True, self.unrecoverable(calculation, refusal))
        trained = [job for job in self.ctx.children if "potential" in job.outputs]
        if not trained and "checkpoint" in self.inputs:
            reason = "the training that was to go on diverged at once, and nothing of it is left to start from"
            return ProcessHandlerReport(True, self.unrecoverable(calculation, reason))
        # A checkpoint, also an older one, would bring its own learning rate back.
        self.ctx.bad_checkpoints += [one.uuid for one in self._checkpoints()]
        self.ctx.inputs.pop("checkpoint", None)
        start = "anew"
        if trained:
            best = self._best_job(trained[-1])
            self.ctx.inputs.parent = best.outputs.potential
            start = f"from the best epoch of <{best.pk}>"
        self.report(f"{calculation.process_label} <{calculation.pk}> diverged; half the learning rate, {start}")
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=690)
    def make_batches_smaller(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """The memory of machine or GPU was too small: half the batch, from the last checkpoint on."""
        if calculation.exit_status not in OUT_OF_MEMORY:
            return None
        refusal = self._change(smaller_batches, "batch_size", calculation)
        if refusal:
            return ProcessHandlerReport(True, self.unrecoverable(calculation, refusal))
        self._take_checkpoint(calculation)
        self.report(f"{calculation.process_label} <{calculation.pk}> had too little memory; half the batch")
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=680)
    def step_back(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """The checkpoint can't be read: the job begins at the one before, or anew where there is none; once in a row.

        Never in place of a checkpoint that was given: who gave it does not want a training from the beginning.
        """
        if calculation.exit_status != CHECKPOINT_LOST:
            return None
        if len(self.ctx.children) > 1 and self.ctx.children[-2].exit_status == CHECKPOINT_LOST:
            reason = f"two checkpoints in a row can't be read, so it is not they: {calculation.exit_message}"
            return ProcessHandlerReport(True, self.unrecoverable(calculation, reason))
        self.ctx.bad_checkpoints.append(self.ctx.inputs.checkpoint.uuid)
        del self.ctx.inputs["checkpoint"]
        sound = [one for one in self._checkpoints() if one.uuid not in self.ctx.bad_checkpoints]
        start = "anew"
        if not sound and "checkpoint" in self.inputs and self.inputs.checkpoint.uuid == self.ctx.bad_checkpoints[-1]:
            reason = (
                f"the checkpoint that was given can't be read, leave it out to begin anew: {calculation.exit_message}"
            )
            return ProcessHandlerReport(True, self.unrecoverable(calculation, reason))
        if sound:
            self.ctx.inputs.checkpoint = sound[-1]
            start = f"from epoch {sound[-1].epoch}"
        self.report(f"{calculation.process_label} <{calculation.pk}> could not read its checkpoint; {start}")
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=600)
    def restart_without_result(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """The job was killed, by its walltime or a node: go on from what it kept meanwhile, or from where it began."""
        if calculation.exit_status not in self.KILLED:
            return None
        self.ctx.lost_jobs = 0 if self._take_checkpoint(calculation) else self.ctx.lost_jobs + 1
        if self.ctx.lost_jobs > MAX_LOST:
            advice = "set settings.max_time_s below the walltime, or ask for more of it"
            return ProcessHandlerReport(
                True,
                self.unrecoverable(
                    calculation, f"{self.ctx.lost_jobs} jobs in a row were killed before they kept anything: {advice}"
                ),
            )
        self.report(
            f"{calculation.process_label} <{calculation.pk}> left no result; the next goes on from what is kept"
        )
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=500)
    def restart_failed_once(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """The program failed, or its output is torn: go on from what it kept, and where it came no further, once."""
        if calculation.exit_status not in (OUTPUT_UNREADABLE, PROGRAM_FAILED):
            return None
        self.ctx.failures = 0 if self._take_checkpoint(calculation) else self.ctx.failures + 1
        if self.ctx.failures > 1:
            return ProcessHandlerReport(True, self.unrecoverable(calculation))
        self.report(f"{calculation.process_label} <{calculation.pk}> failed; one more try: {calculation.exit_message}")
        return ProcessHandlerReport(do_break=True)

    def _best_job(self, last: orm.CalcJobNode) -> orm.CalcJobNode:
        """Return the job with the smallest validation error of its best epoch, of equals the last.

        Jobs of one chain can't become worse; those that begin again from a package may.
        """
        found = [job for job in self.ctx.children if "potential" in job.outputs and "metrics" in job.outputs]
        if last not in found:
            return last
        return min(reversed(found), key=lambda job: float(job.outputs.metrics["validation"]["val_total"]))

    def get_outputs(self, node: orm.CalcJobNode) -> Mapping[str, orm.Node]:
        """Return what the training gives out of a job; errors before are those of the parent that was given.

        After a divergence a job starts from a package of this very training, and measures that one as its parent.
        """
        outputs = dict(super().get_outputs(node))
        for name in OF_PARENT:
            outputs.pop(name, None)
            measured = [job for job in (*self.ctx.children, node) if name in job.outputs and self._began_as_asked(job)]
            if measured:
                outputs[name] = measured[-1].outputs[name]
        return outputs

    def _began_as_asked(self, job: orm.CalcJobNode) -> bool:
        """Whether a job started from the parent that was given to the training."""
        return "parent" in self.inputs and "parent" in job.inputs and job.inputs.parent.uuid == self.inputs.parent.uuid

    def _checkpoints(self) -> list[CheckpointData]:
        """Return the checkpoints there are, the oldest first."""
        given = [self.inputs.checkpoint] if "checkpoint" in self.inputs else []
        return given + [job.outputs.checkpoint for job in self.ctx.children if "checkpoint" in job.outputs]

    def _take_checkpoint(self, calculation: orm.CalcJobNode) -> bool:
        """Take the checkpoint of a job that did not end well, and return whether it is further than the last."""
        before = self.ctx.inputs.get("checkpoint")
        kept = calculation.outputs.checkpoint if "checkpoint" in calculation.outputs else None
        if kept is None or (before is not None and kept.epoch <= before.epoch):
            return False
        self.ctx.inputs.checkpoint = kept
        return True

    def _change(self, function: Any, setting: str, calculation: orm.CalcJobNode) -> str:
        """Change the parameters by a calcfunction, at most twice; return why not, or an empty string."""
        count = sum(name.startswith(setting) for name in self.ctx.changes)
        if count >= MAX_CHANGES:
            return f"{setting} was halved {count} times, and still: {calculation.exit_message}"
        changed, refusal = attempt(function, self.ctx.inputs.parameters)
        if refusal:
            return f"{calculation.exit_message} And {refusal}"
        self.ctx.inputs.parameters = changed["parameters"]
        name = f"{setting}_{count + 1}"
        self.ctx.changes.append(name)
        self.out(f"changes.{name}", changed["change"])
        return ""
