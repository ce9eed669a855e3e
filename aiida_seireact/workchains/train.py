"""``seireact.train``: dataset to model: reference energies, training with its tests, package, compiled file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import (
    CalcJob,
    ExitCode,
    ProcessBuilder,
    ProcessSpec,
    ToContext,
    while_,
)

from aiida_seireact.calculations.allegro import AllegroCalculation
from aiida_seireact.calculations.compile import CompileCalculation, target_complaint
from aiida_seireact.calculations.functions.training import reference_energies_from_fit
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.formats.checkpoint import complaint_of_origin, frames_mark
from aiida_seireact.formats.train_settings import TrainSettings
from aiida_seireact.workchains.base import attempt, lost_the_database
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.train_handlers import TrainHandlers

MAX_COMPILE_TRIES = 3
MAX_JOBS = 50


class TrainWorkChain(ProtocolMixin, TrainHandlers):
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
        again = job.is_finished and (job.exit_status >= 400 or job.exit_status in self.KILLED)
        if (again or lost_the_database(job)) and self.ctx.compile_tries < MAX_COMPILE_TRIES:
            why = job.exit_message or "it lost the database"
            self.report(f"{job.process_label} <{job.pk}> failed; one more try: {why}")
            return None
        return self.exit_codes.ERROR_COMPILE_FAILED.format(pk=job.pk, message=job.exit_message or job.process_state)


def validate_training(inputs: Any, _: Any) -> str | None:
    """Refuse a checkpoint of another training, and a network that can't be compiled for what is asked."""
    origin = inputs["checkpoint"].base.attributes.get("origin", {}) if "checkpoint" in inputs else {}
    if origin and "parameters" in inputs and "dataset" in inputs:
        settings = TrainSettings.model_validate(inputs["parameters"].get_dict().get("settings", {}))
        frames = {f"{split} frames": frames_mark(inputs["dataset"].frame_ids(split)) for split in ("train", "val")}
        if complaint := complaint_of_origin(origin, {**settings.kept_by_a_checkpoint, **frames}):
            return complaint
    if "compile_code" not in inputs or "parameters" not in inputs:
        return None
    if "parent" in inputs:
        kind = inputs["parent"].kind
    else:
        kind = f"{inputs['parameters'].get_dict().get('settings', {}).get('learner', 'allegro')}-package"
    target = inputs["compile"].get_dict().get("target", "pair_allegro") if "compile" in inputs else "pair_allegro"
    return target_complaint(kind, target)
