"""``seireact.committee``: several trainings that differ by their seed only, and what their disagreement is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain

from aiida_seireact.calculations.functions.training import reference_energies_from_fit
from aiida_seireact.calculations.functions.trainings import committee_against_error, label_of, overridden, with_seeds
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.restartable import RestartableMixin
from aiida_seireact.workchains.train import TrainWorkChain, validate_training

MAX_MEMBERS = 32
DEFAULT_MEMBERS = 4


class CommitteeWorkChain(ProtocolMixin, RestartableMixin, WorkChain):
    """Trains the members side by side on the same dataset and split; first weights and order of frames differ.

    Where the members disagree, on a frame nobody has labelled, they are unsure; `calibration` tells on the test frames
    how far that can be trusted.
    """

    PROTOCOL_FILE: ClassVar[str] = "train.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_inputs(TrainWorkChain, exclude=("parent", "checkpoint", "metadata", "clean_workdir"))
        spec.inputs.validator = validate_members
        spec.inputs[
            "compile_code"
        ].help = "The compiler, for the first member, which runs MD; the others only judge it."
        spec.input(
            "seeds",
            valid_type=orm.List,
            default=lambda: orm.List(list(range(1, DEFAULT_MEMBERS + 1))),
            validator=validate_seeds,
            help="One a member; their first weights and the order of their frames follow from it.",
        )
        spec.input_namespace(
            "parents",
            valid_type=PotentialData,
            dynamic=True,
            help="Packages to start from, by `member_01` and so on: those of a committee before, each its own: "
            "members that start from one package would agree too well.",
        )
        spec.output_namespace("members", valid_type=PotentialData, dynamic=True, help="The packages.")
        spec.output_namespace(
            "metrics", valid_type=orm.Dict, dynamic=True, help="Errors on the test frames, by member."
        )
        spec.output_namespace(
            "changes",
            dynamic=True,
            required=False,
            help="What handlers changed of the settings, by member, as `seireact.train` tells it.",
        )
        spec.output("compiled", valid_type=PotentialData, required=False, help="The first member, for MD.")
        spec.output("reference_energies", valid_type=orm.Dict, help="Energies of the atoms, and their source.")
        spec.output(
            "calibration",
            valid_type=orm.ArrayData,
            required=False,
            help="By atom of the test frames: `std` of the members' forces and `error` of their mean, eV/Å.",
        )
        spec.output(
            "spread",
            valid_type=orm.Dict,
            required=False,
            help="Errors of the members and of their mean, and the rank correlation of `std` and `error`.",
        )
        spec.outline(cls.choose_reference_energies, cls.train_members, cls.inspect_members, cls.judge)
        spec.exit_code(
            240, "ERROR_NO_REFERENCE_ENERGIES", message="The energies of the atoms can't be fitted: {message}"
        )
        spec.exit_code(
            455,
            "ERROR_MEMBER_FAILED",
            message="{labels} of the committee failed in {pks}: {message}; given out: {left}.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        dataset: DatasetData,
        code: orm.AbstractCode | None = None,
        compile_code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        n_members: int = DEFAULT_MEMBERS,
    ) -> ProcessBuilder:
        """Return a builder of ``n_members`` trainings by a protocol of `TrainWorkChain`."""
        one = TrainWorkChain.get_builder_from_protocol(dataset, code, compile_code, protocol, overrides, options)
        builder = cls.get_builder()
        for name in ("dataset", "code", "compile_code", "parameters", "compile", "options"):
            builder[name] = one[name]
        seed = one.parameters.get_dict()["settings"]["seed"]
        builder.seeds = orm.List([seed + number for number in range(n_members)])
        return builder

    def choose_reference_energies(self) -> ExitCode | None:
        """Take the energies given, else fit them to the data; all members have the same."""
        energies = self.inputs.get("reference_energies")
        if energies is None:
            energies, refusal = attempt(
                reference_energies_from_fit, self.inputs.dataset, metadata={"call_link_label": "reference_energies"}
            )
            if refusal:
                return self.exit_codes.ERROR_NO_REFERENCE_ENERGIES.format(message=refusal)
        self.ctx.reference_energies = energies
        self.out("reference_energies", energies)
        return None

    def train_members(self) -> ToContext:
        """Start a training for each seed."""
        # All inputs are stored nodes: a step that a crash repeats leaves no second set of them.
        parameters = with_seeds(
            self.inputs.parameters, self.inputs.seeds, metadata={"call_link_label": "parameters_of_members"}
        )
        members = {}
        for number in range(1, len(self.inputs.seeds.get_list()) + 1):
            label = label_of(number)
            inputs = self.exposed_inputs(TrainWorkChain)
            inputs.reference_energies = self.ctx.reference_energies
            inputs.parameters = parameters[label]
            if number > 1:
                inputs.pop("compile_code", None)
                inputs.pop("compile", None)
            if label in self.inputs.get("parents", {}):
                inputs.parent = self.inputs.parents[label]
            inputs.metadata = {"call_link_label": label}
            members[label] = self.submit(TrainWorkChain, **inputs)
        return ToContext(**members)

    def inspect_members(self) -> ExitCode | None:
        """Attach what the members have come to, also if one of them failed."""
        failed = {}
        for number in range(1, len(self.inputs.seeds.get_list()) + 1):
            label = label_of(number)
            node = self.ctx[label]
            for name, change in node.outputs.changes.items() if "changes" in node.outputs else ():
                self.out(f"changes.{label}.{name}", change)
            if not node.is_finished_ok:
                failed[label] = node
                continue
            self.out(f"members.{label}", node.outputs.potential)
            self.out(f"metrics.{label}", node.outputs.metrics)
            if "compiled" in node.outputs:
                self.out("compiled", node.outputs.compiled)
        if not failed:
            return None
        reasons = {label: (node.exit_message or str(node.process_state)).rstrip(".") for label, node in failed.items()}
        told = [f"{label}: {reason}" for label, reason in reasons.items()] if len(failed) > 1 else reasons.values()
        return self.exit_codes.ERROR_MEMBER_FAILED.format(
            labels=" and ".join(failed),
            pks=" and ".join(f"<{node.pk}>" for node in failed.values()),
            message="; ".join(told),
            left=", ".join(sorted(self.outputs.get("members", {}))) or "none",
        )

    def judge(self) -> None:
        """Compare disagreement and error on the test frames, if there are any."""
        nodes = {
            label_of(number + 1): self.ctx[label_of(number + 1)] for number in range(len(self.inputs.seeds.get_list()))
        }
        predictions = {
            label: node.outputs.predictions for label, node in nodes.items() if "predictions" in node.outputs
        }
        if len(predictions) < 2:
            return
        judged = committee_against_error(**predictions, metadata={"call_link_label": "judge"})
        self.out("calibration", judged["calibration"])
        self.out("spread", judged["spread"])


def validate_seeds(seeds: orm.List, _: Any) -> str | None:
    """Refuse what is no committee."""
    values = seeds.get_list()
    if any(not isinstance(value, int) or isinstance(value, bool) or value < 0 for value in values):
        return "seeds are whole numbers from 0 on."
    if len(set(values)) != len(values):
        return "two members with one seed are one member: give each its own."
    if not 2 <= len(values) <= MAX_MEMBERS:
        return f"a committee has 2 to {MAX_MEMBERS} members, not {len(values)}."
    return None


def validate_members(inputs: Any, context: Any) -> str | None:
    """Refuse parents of members that there are not."""
    if "seeds" not in inputs:
        return None
    labels = [label_of(number + 1) for number in range(len(inputs["seeds"].get_list()))]
    strangers = sorted(set(inputs.get("parents", {})) - set(labels))
    if strangers:
        return f"parents: {', '.join(strangers)} is no member; they are {', '.join(labels)}."
    if "parameters" in inputs and (refusal := overridden(inputs["parameters"].get_dict(), "seed")):
        return f"members differ by their seed only: {refusal}"
    return validate_training(inputs, context)
