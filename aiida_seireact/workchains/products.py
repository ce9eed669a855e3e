"""``seireact.products``: what should form where two phases meet, from energies of the phases they can become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, if_

from aiida_seireact.calculations.functions.products import make_phases, predict_products
from aiida_seireact.data.frames import FramesData
from aiida_seireact.science.structures.library import entry
from aiida_seireact.science.structures.phase_cells import phases_between, read_cifs
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.label import ASE_ENGINE, LabelWorkChain, find_code_of
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.restartable import RestartableMixin

OF_LABELS = ("code", "engine", "parameters", "batch_size", "max_parallel", "options")


class ProductsWorkChain(ProtocolMixin, RestartableMixin, WorkChain):
    """Predicts products from ``entries`` or labelled ``frames``; or relaxes and labels ``phases`` of the library first.

    ``seireact.label.ase`` with task ``relax`` relaxes each phase. Any other engine labels the phases as they are in
    the library, or as ``frames`` bring them: relax those first.
    """

    PROTOCOL_FILE: ClassVar[str] = "products.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "reactants",
            valid_type=orm.List,
            validator=validate_reactants,
            help="The two phases, by name in the library, config type of a frame, or formula.",
        )
        spec.input(
            "entries",
            valid_type=(orm.SinglefileData, orm.Dict),
            required=False,
            help="Energies as JSON: yours, or saved from a materials database. Nothing is downloaded.",
        )
        spec.input(
            "frames",
            valid_type=FramesData,
            required=False,
            help="Labelled frames: their energies are used. Without labels, and with a code: they are labelled first.",
        )
        spec.input("phases", valid_type=orm.List, required=False, validator=validate_phases,
                   help="Phases of the library to label.")  # fmt: skip
        spec.input_namespace(
            "cifs", valid_type=orm.SinglefileData, required=False, dynamic=True,
            help="Further phases to label, as CIF; the key is the name.",
        )  # fmt: skip
        spec.expose_inputs(LabelWorkChain, include=OF_LABELS)
        for name in ("code", "parameters"):
            spec.inputs[name].required = False
        spec.inputs.validator = validate_source
        spec.output(
            "products",
            valid_type=orm.Dict,
            help="`kinks` (mixing fraction, reaction, products, energies) from the second phase to the first, "
            "`lithiation_end`, and of each of the `phases` the energy, the distance from the hull and the source.",
        )
        spec.output("frames", valid_type=FramesData, required=False, help="The phases with the labels computed here.")
        spec.output("failures", valid_type=orm.Dict, required=False, help="Phases without a label, and reports.")
        spec.outline(cls.setup, if_(cls.should_label)(cls.label, cls.inspect_labels), cls.predict)
        spec.exit_code(270, "ERROR_ENERGIES_REFUSED", message="The products can't be predicted: {message}")
        spec.exit_code(271, "ERROR_PHASES_REFUSED", message="The phases can't be built: {message}")
        spec.exit_code(
            445,
            "ERROR_PHASE_NOT_LABELLED",
            message="There is no energy of {phase} from <{pk}>: {message}. Leave it out of `phases`, or let the engine "
            "try harder.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        first: str,
        second: str,
        *,
        phases: Sequence[str] | None = None,
        cifs: Mapping[str, str] | None = None,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that labels phases of the library.

        :param phases: default: all of the library that the two can become.
        :param cifs: texts of further phases, by name.
        :param code: default: the newest code of the engine's program on localhost.
        :raises ValueError: an unknown phase, or a CIF that can't be read.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        crystals = read_cifs(cifs or {})
        builder = cls.get_builder()
        builder.reactants = orm.List([first, second])
        builder.phases = orm.List(list(phases) if phases is not None else phases_between(first, second, crystals))
        if cifs:
            builder.cifs = {
                name: orm.SinglefileData.from_string(text, filename="phase.cif") for name, text in cifs.items()
            }
        builder.code = code or find_code_of(inputs["engine"])
        builder.engine = orm.Str(inputs["engine"])
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.options = dict(options or {})
        return builder

    def setup(self) -> ExitCode | None:
        """Collect the energies that are there, and build what is to be labelled."""
        self.ctx.energies = {}
        self.ctx.to_label = ""
        if "entries" in self.inputs:
            self.ctx.energies["entries"] = self.inputs.entries.uuid
        if "frames" in self.inputs:
            if self.inputs.frames.is_labelled:
                self.ctx.energies["frames"] = self.inputs.frames.uuid
            else:
                self.ctx.to_label = self.inputs.frames.uuid
        if "phases" in self.inputs or "cifs" in self.inputs:
            cells, refusal = attempt(
                make_phases,
                self.inputs.get("phases", orm.List([])),
                metadata={"call_link_label": "make_phases"},
                **dict(self.inputs.get("cifs", {})),
            )
            if refusal:
                return self.exit_codes.ERROR_PHASES_REFUSED.format(message=refusal)
            self.ctx.to_label = cells.uuid
        return None

    def should_label(self) -> bool:
        """Whether there are phases without an energy."""
        return bool(self.ctx.to_label)

    def relaxes(self) -> bool:
        """Whether the engine relaxes, so that its frames are others than those given."""
        return self.inputs.engine.value == ASE_ENGINE and self.inputs.parameters.get("task", "label") == "relax"

    def label(self) -> ToContext:
        """Relax the phases by a calculator of ASE, or label them by any engine."""
        frames = orm.load_node(self.ctx.to_label)
        inputs = {name: self.inputs[name] for name in ("code", "parameters", "options")}
        metadata = {"call_link_label": "label"}
        if self.relaxes():
            self.report(f"relaxing {len(frames)} phases")
            return ToContext(labels=self.submit(AseLabelWorkChain, frames=frames, metadata=metadata, **inputs))
        self.report(f"labelling {len(frames)} phases by {self.inputs.engine.value}, their geometry as it is")
        more = {name: self.inputs[name] for name in ("engine", "batch_size", "max_parallel")}
        return ToContext(labels=self.submit(LabelWorkChain, frames=frames, metadata=metadata, **inputs, **more))

    def inspect_labels(self) -> ExitCode | None:
        """Keep the energies; a phase without one would change the answer in silence, so it ends the process."""
        labels = self.ctx.labels
        if "frames" in labels.outputs:
            self.out("frames", labels.outputs.frames)
            self.ctx.energies["labels"] = labels.outputs.frames.uuid
        if "failures" in labels.outputs:
            self.out("failures", labels.outputs.failures)
        lost = labels.outputs.failures["failures"] if "failures" in labels.outputs else []
        if lost or not labels.is_finished_ok:
            names = orm.load_node(self.ctx.to_label).frames.config_type
            phase = str(names[lost[0]["index"]]) if lost else "the phases"
            reason = lost[0]["reason"] if lost else labels.exit_message or f"it was {labels.process_state.value}"
            return self.exit_codes.ERROR_PHASE_NOT_LABELLED.format(
                phase=phase, pk=labels.pk, message=reason.rstrip(".")
            )
        return None

    def predict(self) -> ExitCode | None:
        """Predict the products from all energies."""
        products, refusal = attempt(
            predict_products,
            self.inputs.reactants,
            metadata={"call_link_label": "predict_products"},
            **{name: orm.load_node(uuid) for name, uuid in sorted(self.ctx.energies.items())},
        )
        if refusal:
            return self.exit_codes.ERROR_ENERGIES_REFUSED.format(message=refusal)
        self.out("products", products)
        return None


def validate_reactants(reactants: orm.List, _: Any) -> str | None:
    """Refuse what are not two phases."""
    names = reactants.get_list()
    if len(names) != 2 or not all(isinstance(name, str) and name for name in names):
        return f"reactants are two phases, as ['Li', 'Li6PS5Cl'], not {names}."
    return None


def validate_phases(phases: orm.List | None, _: Any) -> str | None:
    """Refuse phases that the library has not."""
    if phases is None:
        return None
    for name in phases.get_list():
        try:
            entry(name)
        except ValueError as error:
            return str(error)
    return None


def validate_source(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse a process without energies and without a way to them."""
    frames = inputs.get("frames")
    built = "phases" in inputs or bool(inputs.get("cifs"))
    unlabelled = frames is not None and not frames.is_labelled
    if built and unlabelled:
        return "Give phases (and cifs), or frames to label, not both."
    if (built or unlabelled) and not {"code", "parameters"} <= set(inputs):
        return "Phases without energies need the inputs code and parameters of a labelling engine."
    if not built and frames is None and "entries" not in inputs:
        return "There are no energies: give entries, labelled frames, or phases with a code that labels them."
    return None
