"""``seireact.train``: dataset to model: reference energies, training with its tests, package, compiled file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import (
    CalcJob,
    ExitCode,
    ProcessBuilder,
    ProcessHandlerReport,
    ProcessSpec,
    ToContext,
    process_handler,
    while_,
)

from aiida_seireact.calculations.allegro import AllegroCalculation
from aiida_seireact.calculations.base import missing_outputs
from aiida_seireact.calculations.compile import CompileCalculation, target_complaint
from aiida_seireact.calculations.functions.training import reference_energies_from_fit
from aiida_seireact.calculations.functions.trainings import gentler_steps, smaller_batches
from aiida_seireact.data.checkpoint import CheckpointData
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.workchains.base import OUTPUT_UNREADABLE, PROGRAM_FAILED, ProgramWorkChain, attempt
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin

MAX_COMPILE_TRIES = 3
MAX_JOBS = 50
# How often a change is tried, and how often in a row a job may end without an epoch more than the one before.
MAX_CHANGES = 2
MAX_LOST = 4

OUT_OF_MEMORY = (422, 110)  # the program's own words, the scheduler's
KILLED = (410, 120, 140)  # no result, out of walltime, a node failed
DIVERGED, CHECKPOINT_LOST = 421, 423


class TrainWorkChain(ProtocolMixin, ProgramWorkChain):
    """Trains a network over as many jobs as it takes, tests it on frames it never saw, packages it, and compiles it.

    A job ends before `settings.max_time_s` is over, and the next one goes on from its checkpoint as if there had been
    no end. What a handler changes is made by a calcfunction, and told in `changes`.
    """

    _process_class: ClassVar[type[CalcJob]] = AllegroCalculation
    PROTOCOL_FILE: ClassVar[str] = "train.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.inputs["reference_energies"].required = False
        spec.inputs["max_iterations"].default = lambda: orm.Int(MAX_JOBS)
        spec.inputs["max_iterations"].help = "Jobs of the training, at most."
        spec.inputs.validator = validate_training
        spec.inputs[
            "reference_energies"
        ].help = (
            "Energies of the atoms (eV) and where they come from; without it they are fitted to the training frames."
        )
        spec.input(
            "compile_code",
            valid_type=orm.AbstractCode,
            required=False,
            help="The compiler; none: package only.",
        )
        spec.input("compile", valid_type=orm.Dict, required=False, help="Target and device of the compiled file.")
        spec.expose_outputs(CompileCalculation, include=("compiled",))
        spec.outputs["compiled"].required = False
        spec.output_namespace(
            "changes",
            valid_type=orm.Dict,
            dynamic=True,
            required=False,
            help="What handlers changed of the settings, and why; in order.",
        )
        spec.output("reference_energies", valid_type=orm.Dict, help="Energies of the atoms, and their source.")
        spec.outline(
            cls.setup,
            cls.choose_reference_energies,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
            while_(cls.should_compile)(cls.run_compile, cls.inspect_compile),
        )
        spec.exit_code(
            240, "ERROR_NO_REFERENCE_ENERGIES", message="The energies of the atoms can't be fitted: {message}"
        )
        spec.exit_code(
            540,
            "ERROR_TRAINING_UNFINISHED",
            message="The training is not at its end after {jobs} jobs, but at epoch {epoch}; what it has come to is "
            "there: submit it again with its output `checkpoint`.",
        )
        spec.exit_code(450, "ERROR_COMPILE_FAILED", message="The model could not be compiled in <{pk}>: {message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        dataset: DatasetData,
        code: orm.AbstractCode | None = None,
        compile_code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` trains a small network in two minutes on one core."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.dataset = dataset
        builder.code = code or find_code("train")
        builder.compile_code = compile_code or find_code("compile")
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.compile = orm.Dict(inputs["compile"])
        builder.options = dict(options or {})
        return builder

    def setup(self) -> None:
        super().setup()
        self.ctx.changes, self.ctx.bad_checkpoints, self.ctx.lost_jobs, self.ctx.failures = [], [], 0, 0

    def choose_reference_energies(self) -> ExitCode | None:
        """Take the energies given, else fit them to the data."""
        energies = self.inputs.get("reference_energies")
        if energies is None:
            energies, refusal = attempt(
                reference_energies_from_fit, self.inputs.dataset, metadata={"call_link_label": "reference_energies"}
            )
            if refusal:
                return self.exit_codes.ERROR_NO_REFERENCE_ENERGIES.format(message=refusal)
        self.ctx.inputs.reference_energies = energies
        self.out("reference_energies", energies)
        return None

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
        if calculation.exit_status not in KILLED:
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

    # ------------------------------------------------------------ what it gives out
    def inspect_process(self) -> ExitCode | None:
        """Let the handlers decide; where they end it, give out what it has come to."""
        code = super().inspect_process()
        if code is not None and code.status:
            trained = [job for job in self.ctx.children if "potential" in job.outputs]
            checkpoints = self._checkpoints()
            if trained and "potential" not in self.outputs:
                self.out("potential", self._best_job(trained[-1]).outputs.potential)
            if checkpoints and "checkpoint" not in self.outputs:
                self.out("checkpoint", checkpoints[-1])
        return code

    def results(self) -> ExitCode | None:
        """Attach what the best of the jobs has made, and the newest checkpoint."""
        last = self.ctx.children[-1]
        best = self._best_job(last)
        if best.pk != last.pk:
            self.report(f"<{best.pk}>, before the loss was not a number, was better on the validation frames")
        self._attach_outputs(best)
        if "checkpoint" not in self.outputs:
            self.out("checkpoint", last.outputs.checkpoint)
        return None

    def _best_job(self, last: orm.CalcJobNode) -> orm.CalcJobNode:
        """Return the job with the smallest validation error of its best epoch, of equals the last.

        Jobs of one chain can't become worse; those that begin again from a package may.
        """
        found = [job for job in self.ctx.children if "potential" in job.outputs and "metrics" in job.outputs]
        if last not in found:
            return last
        return min(reversed(found), key=lambda job: float(job.outputs.metrics["validation"]["val_total"]))

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

    # ------------------------------------------------------------ the compiled file
    def should_compile(self) -> bool:
        """Whether a compiled file is asked for and not there yet."""
        self.ctx.setdefault("compile_tries", 0)
        self.ctx.setdefault("compiled", False)
        return "compile_code" in self.inputs and not self.ctx.compiled

    def run_compile(self) -> ToContext:
        """Compile the package for its device and engine."""
        self.ctx.compile_tries += 1
        inputs: dict[str, Any] = {
            "code": self.inputs.compile_code,
            "package": self.outputs["potential"],
            "metadata": {
                "options": dict(self.inputs.options),
                "call_link_label": f"compile_{self.ctx.compile_tries:02d}",
            },
        }
        if "compile" in self.inputs:
            inputs["parameters"] = self.inputs.compile
        return ToContext(compile_job=self.submit(CompileCalculation, **inputs))

    def inspect_compile(self) -> ExitCode | None:
        """Attach the compiled model; a killed compiler runs again."""
        job = self.ctx.compile_job
        if job.is_finished_ok:
            self.ctx.compiled = True
            self.out("compiled", job.outputs.compiled)
            return None
        again = job.is_finished and (job.exit_status >= 400 or job.exit_status in KILLED)
        if again and self.ctx.compile_tries < MAX_COMPILE_TRIES:
            self.report(f"{job.process_label} <{job.pk}> failed; one more try: {job.exit_message}")
            return None
        return self.exit_codes.ERROR_COMPILE_FAILED.format(pk=job.pk, message=job.exit_message or job.process_state)


def validate_training(inputs: Any, _: Any) -> str | None:
    """Refuse a network that can't be compiled for what is asked, before it is trained."""
    if "compile_code" not in inputs or "parameters" not in inputs:
        return None
    if "parent" in inputs:
        kind = inputs["parent"].kind
    else:
        kind = f"{inputs['parameters'].get_dict().get('settings', {}).get('learner', 'allegro')}-package"
    target = inputs["compile"].get_dict().get("target", "pair_allegro") if "compile" in inputs else "pair_allegro"
    return target_complaint(kind, target)
