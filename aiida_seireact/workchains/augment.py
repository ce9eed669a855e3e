"""``seireact.augment``: rounds in which a model learns from its own runs, until it is good or the budget ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from aiida import orm
from aiida.common import timezone
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, append_, while_

from aiida_seireact.calculations.functions.augment import other_seeds, summarise_rounds
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.jobs.augment import RoundsSettings
from aiida_seireact.formats.verdict import PRODUCTION
from aiida_seireact.workchains.augment_inputs import OF_VALIDATION, PROGRAMS
from aiida_seireact.workchains.augment_round import AugmentRoundWorkChain
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin, merge
from aiida_seireact.workchains.stages import StagedWorkChain
from aiida_seireact.workchains.train import TrainWorkChain
from aiida_seireact.workchains.validate import ValidateWorkChain


class AugmentWorkChain(ProtocolMixin, StagedWorkChain):
    """Rounds of run → choose → label → learn, each from the model of the one before.

    It ends when a verdict says *production*, or with its budget of rounds, labels or hours. A round that fails ends it
    too, with the reason; outputs are then those of the round before.
    """

    PROTOCOL_FILE: ClassVar[str] = "augment.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_inputs(AugmentRoundWorkChain, exclude=("options",))
        spec.inputs.validator = AugmentRoundWorkChain.spec().inputs.validator
        spec.input(
            "rounds",
            valid_type=orm.Dict,
            validator=job_validator(RoundsSettings),
            help="`min_rounds`, `max_rounds`, `max_labels`: how far it goes.",
        )
        spec.input(
            "hours_max",
            valid_type=float,
            is_metadata=True,
            required=False,
            help="No further round begins after so many hours: they decide how many there are, not what one gives.",
        )
        spec.expose_outputs(AugmentRoundWorkChain, exclude=("trajectories",))
        spec.output_namespace(
            "trajectories", valid_type=TrajectoryData, dynamic=True, help="The runs of the model given, by name."
        )
        spec.output(
            "rounds", valid_type=orm.Dict, help="What each round cost and gained, and why there was no further."
        )
        spec.outline(
            while_(cls.should_go_on)(cls.run_round, cls.inspect_round),
            cls.results,
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        dataset: DatasetData,
        potential: PotentialData,
        compiled: PotentialData,
        reference_energies: orm.Dict,
        cells: Mapping[str, FramesData],
        gps: Mapping[str, PotentialData] | None = None,
        committee: Mapping[str, PotentialData] | None = None,
        codes: Mapping[str, orm.AbstractCode] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` is one round that labels some forty frames and trains for a minute.

        :param cells: ``fast`` knows ``production`` and ``training``; others need their ``md`` and ``select.runs``.
        :param gps: Gaussian processes, or ``committee``, further packages of the same training but for the seed: who
            tells what the model does not know. The processes stay as they are, so for several rounds take a committee.
        :param overrides: any value of the protocol; a run that is null under ``md`` and ``select.runs`` is left out.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        md = ProduceWorkChain.get_protocol_inputs(protocol)["parameters"]
        training = TrainWorkChain.get_protocol_inputs(protocol)
        select = {**inputs["select"], "runs": given(inputs["select"]["runs"])}
        builder = cls.get_builder()
        judged = inputs["validate"] is not None
        programs = (*PROGRAMS, *(["validate"] if judged else []))
        builder.codes = dict(codes or {name: find_code(name) for name in programs})
        if judged:
            builder.validate = validation_inputs(protocol, inputs["validate"])
        builder.dataset, builder.potential, builder.compiled = dataset, potential, compiled
        builder.reference_energies = reference_energies
        builder.cells = dict(cells)
        builder.md = {name: orm.Dict(merge(md, changes)) for name, changes in given(inputs["md"]).items()}
        builder.gps, builder.committee = dict(gps or {}), dict(committee or {})
        builder.rounds = orm.Dict(inputs["rounds"])
        builder.engine = orm.Str(inputs["engine"])
        builder.label = orm.Dict(inputs["label"])
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.select, builder.extend = orm.Dict(select), orm.Dict(inputs["extend"])
        builder.train = orm.Dict(merge(training["parameters"], inputs["train"]))
        builder.compile = orm.Dict(merge(training["compile"], inputs["compile"]))
        builder.options = dict(options or {})
        return builder

    # ------------------------------------------------------------------ rounds
    def should_go_on(self) -> bool:
        """Whether a further round is needed and within the budget."""
        rounds = self.ctx.setdefault("rounds", [])
        settings = RoundsSettings.model_validate(self.inputs.rounds.get_dict())
        if not rounds:
            return True
        if self.ctx.get("is_good", False) and len(rounds) >= settings.min_rounds:
            return False
        if not settings.has_room(len(rounds), self.n_labels(), self.n_asked()):
            return False
        hours = self.inputs.get("hours_max", None)
        if hours is not None and timezone.now() - self.node.ctime > timedelta(hours=hours):
            self.report(f"{hours:g} hours are over: no further round")
            return False
        return True

    def run_round(self) -> ToContext | ExitCode:
        """Begin a round with the last model."""
        number = len(self.ctx.rounds) + 1
        given = self.exposed_inputs(AugmentRoundWorkChain)
        inputs = {name: value for name, value in given.items() if name not in ("metadata", "options")}
        if number > 1:
            # Those were runs of the model given.
            inputs.update(runs={}, labels={})
            last = self.ctx.rounds[-1].outputs
            inputs.update(
                {name: last[name] for name in ("dataset", "potential", "compiled", "reference_energies")},
                committee=dict(last.committee) if self.inputs.get("committee") else {},
                md=other_seeds(metadata={"call_link_label": f"seeds_{number:02d}"}, **self.ctx.rounds[-1].inputs.md),
            )
        self.report(f"round {number}")
        label = f"round_{number:02d}"
        begun = self.begin(label, **{label: (AugmentRoundWorkChain, inputs)})
        if isinstance(begun, ExitCode):
            return begun
        return ToContext(rounds=append_(begun[label]))

    def inspect_round(self) -> ExitCode | None:
        """Tell what a round gained; end if it failed."""
        number = len(self.ctx.rounds)
        last = self.ctx.rounds[-1]
        if failure := self.failure(f"round {number}", last):
            self.ctx.rounds.pop()
            if self.ctx.rounds:
                self.results()  # what the rounds before have learned is not lost
            return failure
        held_out = last.outputs.augmentation["held_out"]
        before, after = (held_out[when]["all"]["force_rmse_ev_per_ang"] for when in ("before", "after"))
        self.report(
            f"round {number}: force error on the frames held out {before:.3f} -> {after:.3f} eV/Å, "
            f"{last.outputs.augmentation['n_labelled']} labels"
        )
        self.ctx.is_good = "verdict" in last.outputs and last.outputs.verdict["decision"] == PRODUCTION
        return None

    def results(self) -> None:
        """Attach the last model, and what each round cost and gained."""
        last = self.ctx.rounds[-1]
        self.out_many(self.exposed_outputs(last, AugmentRoundWorkChain, agglomerate=False))
        self.out("trajectories", dict(self.ctx.rounds[0].outputs.trajectories))
        told = {}
        for number, node in enumerate(self.ctx.rounds, 1):
            for name in ("augmentation", "metrics", "verdict"):
                if name in node.outputs:
                    told[f"{name}_{number:02d}"] = node.outputs[name]
        self.out("rounds", summarise_rounds(self.inputs.rounds, metadata={"call_link_label": "rounds"}, **told))

    def n_labels(self) -> int:
        """Return how many labels the rounds have used."""
        return sum(node.outputs.augmentation["n_labelled"] for node in self.ctx.rounds)

    def n_asked(self) -> int:
        """Return how many labels a round asks for."""
        runs = self.inputs.select.get_dict()["runs"].values()
        return int(sum(run["learned"] + run["held_out"] for run in runs))


def validation_inputs(protocol: str | None, changes: Mapping[str, Any]) -> dict[str, orm.Dict]:
    """Return the inputs ``validate`` of a round: a protocol of `seireact.validate` with changes to it.

    :param protocol: used unless ``changes["protocol"]`` names another.
    """
    changes = dict(changes)
    inputs = ValidateWorkChain.get_protocol_inputs(changes.pop("protocol", protocol), changes)
    return {name: orm.Dict(inputs[name]) for name in OF_VALIDATION if name in inputs}


def given(runs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the runs that are not null: an override takes one out by naming it with null."""
    return {name: run for name, run in runs.items() if run is not None}
