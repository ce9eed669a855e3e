"""``seireact.classify``: which phases the atoms of a trajectory belong to, and which are unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJob, ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_, while_

from aiida_seireact.calculations.classify import ClassifyCalculation, ClassifySettings
from aiida_seireact.calculations.trajectories import count_frames
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.jobs.classify import SETTLED, SpecSettings, beside_classifier
from aiida_seireact.programs._classify_known import settled_complaint, spec_complaint
from aiida_seireact.science.descriptors import usual_order
from aiida_seireact.workchains.base import ProgramWorkChain
from aiida_seireact.workchains.classify_parts import ClassifyPartsWorkChain
from aiida_seireact.workchains.codes import find_classify
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.stages import why


class ClassifyWorkChain(ProtocolMixin, ProgramWorkChain):
    """Clusters local environments by density peaks, once, and names the clusters by reference runs of known phases."""

    _process_class: ClassVar[type[CalcJob]] = ClassifyCalculation
    PROTOCOL_FILE: ClassVar[str] = "classify.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "parallel",
            valid_type=orm.Int,
            required=False,
            validator=lambda node, _: None if node is None or node.value > 0 else "parallel: at least one job.",
            help="Jobs side by side, each with a share of the frames, at most as many as frames; the labels are the "
            "same as of one job, which is the default.",
        )
        spec.inputs.validator = validate_classify
        one_job = (cls.setup, while_(cls.should_run_process)(cls.run_process, cls.inspect_process), cls.results)
        spec.outline(if_(cls.is_parallel)(cls.run_parts, cls.take_parts).else_(*one_job))
        spec.exit_code(460, "ERROR_STAGE_FAILED", message="Stage {stage} failed in {process} <{pk}>: {message}")

    def is_parallel(self) -> bool:
        """Whether the work is shared among jobs."""
        return "parallel" in self.inputs and self.inputs.parallel.value > 1

    def run_parts(self) -> ToContext:
        """Let the jobs side by side do it."""
        inputs = self.exposed_inputs(self._process_class)
        parts = self.submit(
            ClassifyPartsWorkChain,
            **inputs,
            parallel=self.inputs.parallel,
            options=dict(self.inputs.options),
            metadata={"call_link_label": "parts"},
        )
        return ToContext(parts=parts)

    def take_parts(self) -> ExitCode | None:
        """Attach what the jobs made together."""
        parts = self.ctx.parts
        if not parts.is_finished_ok:
            return self.exit_codes.ERROR_STAGE_FAILED.format(
                stage="parts", process=parts.process_label, pk=parts.pk, message=why(parts)
            )
        for name in parts.outputs:
            self.out(name, parts.outputs[name])
        return None

    @classmethod
    def get_builder_from_protocol(
        cls,
        trajectory: TrajectoryData,
        references: Mapping[str, TrajectoryData | FramesData],
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        parallel: int | None = None,
        classifier: PhasesData | None = None,
    ) -> ProcessBuilder:
        """Return a builder; ``references`` are runs of the pure phases, by name; ``parallel`` jobs share the frames.

        Descriptors know the species of the run and of the references, unless ``overrides`` name others. With a
        ``classifier`` they are its own, and the protocol says nothing of the clustering.

        :raises ValueError: ``overrides`` that are unlike what the classifier was made with.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        if classifier is not None:
            inputs["parameters"] = _beside(classifier, inputs["parameters"], (overrides or {}).get("parameters", {}))
        elif "species" not in (overrides or {}).get("parameters", {}).get("spec", {}):
            inputs["parameters"]["spec"]["species"] = usual_order(
                symbol for run in (trajectory, *references.values()) for symbol in species_of(run)
            )
        builder = cls.get_builder()
        builder.trajectory = trajectory
        builder.references = dict(references)
        builder.code = code or find_classify(inputs["parameters"].get("spec", {}).get("source", "ace"))
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.options = dict(options or {})
        if classifier is not None:
            builder.classifier = classifier
        if parallel is not None:
            builder.parallel = orm.Int(parallel)
        return builder


def species_of(run: TrajectoryData | FramesData) -> list[str]:
    """Return the elements that a run holds."""
    return list(run.base.attributes.get("species"))


def validate_classify(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse species that the descriptors don't know, settings unlike the classifier's, more jobs than frames."""
    if not {"trajectory", "parameters"} <= set(inputs):
        return None
    settings = ClassifySettings.model_validate(inputs["parameters"].get_dict())
    if "classifier" in inputs and (
        message := _classifier_complaint(inputs["parameters"].get_dict(), inputs["classifier"])
    ):
        return message
    references = {f"reference {name}": run for name, run in inputs.get("references", {}).items()}
    for name, run in {"trajectory": inputs["trajectory"], **references}.items():
        if message := _species_complaint(species_of(run), settings.spec):
            return f"{name} {message}"
    if "parallel" not in inputs:
        return None
    chosen = settings.trajectory
    n_frames = count_frames(inputs["trajectory"], skip_first=chosen.skip_first, stride=chosen.stride)
    # What can't be counted here the jobs count, and refuse in the same words.
    if n_frames is None or inputs["parallel"].value <= max(1, n_frames):
        return None
    return (
        f"parallel: {inputs['parallel'].value} jobs can't share {n_frames} frames: ask for at most {max(1, n_frames)}."
    )


def _beside(phases: PhasesData, parameters: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without what a protocol says of the clustering, and with the descriptors of a classifier.

    :param asked: what was asked for beside the protocol.
    :raises ValueError: it is unlike what the classifier was made with.
    """
    classifier, spec = phases.classifier()
    for message in (settled_complaint(asked, classifier, THE), spec_complaint(asked.get("spec", {}), spec, THE)):
        if message:
            raise ValueError(message)
    kept = {name: value for name, value in parameters.items() if name not in SETTLED}
    return {**kept, **{name: asked[name] for name in SETTLED & set(asked)}, "spec": spec.to_dict()}


THE = "the classifier"


def _classifier_complaint(parameters: Mapping[str, Any], phases: PhasesData) -> str | None:
    own_hash = phases.base.attributes.get("spec_hash")
    if SpecSettings.model_validate(parameters.get("spec", {})).spec().content_hash != own_hash:
        return (
            "parameters.spec: the classifier was made with other descriptors, and points of unlike ones can't be "
            "compared: give `classifier` to get_builder_from_protocol, which takes those of the classifier."
        )
    asked = {name: value for name, value in beside_classifier(parameters).items() if name in SETTLED}
    message = settled_complaint(asked, phases.classifier()[0], THE) if asked else None
    return message and f"parameters.{message}"


def _species_complaint(species: list[str], spec: SpecSettings) -> str | None:
    if unknown := [symbol for symbol in species if symbol not in spec.species]:
        return (
            f"holds {', '.join(unknown)}, but the descriptors know only {', '.join(spec.species)}: name all species in "
            "parameters.spec.species, or leave it to the protocol; a classifier keeps those it was made with."
        )
    if spec.centre not in species:
        return (
            f"holds no {spec.centre}, whose environments are asked for, but {', '.join(species)}: leave it out, or "
            "name another centre."
        )
    return None
