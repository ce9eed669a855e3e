"""``seireact.followup``: is a composition that was found stable, a conductor of Li, an insulator for electrons?"""

from __future__ import annotations

from typing import ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_
from aiida.plugins import WorkflowFactory

from aiida_seireact.calculations.functions.followup import (
    cell_for_md,
    cells_for_gaps,
    gather,
    orderings_of,
    place_on_hull,
)
from aiida_seireact.calculations.functions.products import make_phases
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.followup_builder import builder_from_protocol
from aiida_seireact.workchains.followup_inputs import define_inputs, define_outputs, relaxes
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.stages import Child, StagedWorkChain, refusal_of

KINDS = ("orderings", "phases")
LINKS = {"orderings": "the orderings", "phases": "the phases of the hull"}


class FollowUpWorkChain(ProtocolMixin, StagedWorkChain):
    """Follows up a composition: orderings, energies above a hull with the entropy of disorder, MD, band gap.

    Orderings and the phases of the hull are relaxed and labelled alike. MD needs a potential, and a band gap an engine
    that computes levels; without them these parts are left out, and the result says so.
    """

    PROTOCOL_FILE: ClassVar[str] = "followup.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        define_inputs(spec)
        define_outputs(spec)
        spec.outline(
            cls.setup,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxed),
            cls.label,
            cls.inspect_labels,
            cls.place,
            cls.look_closer,
            cls.inspect_closer,
            if_(cls.has_run)(cls.analyse),
            cls.results,
        )
        spec.exit_code(270, "ERROR_ENERGIES_REFUSED", message="There is no hull of these energies: {message}")
        spec.exit_code(271, "ERROR_PHASES_REFUSED", message="The phases of the hull can't be built: {message}")
        spec.exit_code(273, "ERROR_COMPOSITION_REFUSED", message="The composition can't be followed up: {message}")
        spec.exit_code(
            445,
            "ERROR_PHASE_NOT_LABELLED",
            message="There is no energy of {phase} from <{pk}>: {message}. Leave it out, or let the engine try harder.",
        )

    get_builder_from_protocol = classmethod(builder_from_protocol)

    # ------------------------------------------------------------------ cells
    def setup(self) -> ExitCode | None:
        """Make the orderings, and the phases that are to be labelled."""
        made, refusal = attempt(orderings_of, self.inputs.parameters, metadata={"call_link_label": "orderings_of"})
        if refusal:
            return self.exit_codes.ERROR_COMPOSITION_REFUSED.format(message=refusal)
        self.out("composition", made["report"])
        self.ctx.report_of = made["report"].uuid
        self.ctx.cells = {"orderings": made["frames"].uuid}
        self.ctx.failures = {}
        for remark in made["report"]["remarks"]:
            self.report(remark)
        if "phases" in self.inputs or self.inputs.get("cifs"):
            cells, refusal = attempt(
                make_phases,
                self.inputs.get("phases", orm.List([])),
                metadata={"call_link_label": "make_phases"},
                **dict(self.inputs.get("cifs", {})),
            )
            if refusal:
                return self.exit_codes.ERROR_PHASES_REFUSED.format(message=refusal)
            self.ctx.cells["phases"] = cells.uuid
        return None

    def cells(self, kind: str) -> FramesData:
        """Return the cells as they are by now."""
        return orm.load_node(self.ctx.cells[kind])

    # ------------------------------------------------------------------ energies
    def should_relax(self) -> bool:
        """Whether cells are relaxed by something else than the engine that labels them."""
        return "relax" in self.inputs

    def relax(self) -> ToContext | ExitCode:
        """Relax orderings and phases by a calculator of ASE."""
        self.report(f"relaxing {self.counted()}")
        inputs = dict(self.inputs.relax)
        return self.begin(
            "relax",
            **{f"relax_{kind}": (AseLabelWorkChain, {**inputs, "frames": self.cells(kind)}) for kind in self.kinds},
        )

    def inspect_relaxed(self) -> ExitCode | None:
        """Go on with the relaxed cells."""
        return self.taken("relax")

    def label(self) -> ToContext | ExitCode:
        """Label orderings and phases; a calculator of ASE may relax them in the same job."""
        settings = dict(self.inputs.label)
        by_relaxation = relaxes(settings)
        self.report(f"{'relaxing and labelling' if by_relaxation else 'labelling'} {self.counted()}")
        if by_relaxation:
            settings = {name: settings[name] for name in ("code", "parameters", "options") if name in settings}
        process = AseLabelWorkChain if by_relaxation else LabelWorkChain
        return self.begin(
            "label", **{f"label_{kind}": (process, {**settings, "frames": self.cells(kind)}) for kind in self.kinds}
        )

    def inspect_labels(self) -> ExitCode | None:
        """Keep the energies; a cell without one would change the answer in silence."""
        if failure := self.taken("label"):
            return failure
        self.out("orderings", self.cells("orderings"))
        if "phases" in self.kinds:
            self.out("phases", self.cells("phases"))
        return None

    def taken(self, stage: str) -> ExitCode | None:
        """Take over the cells of a stage, or tell which one has none."""
        for kind in self.kinds:
            child = self.ctx[f"{stage}_{kind}"]
            if "failures" in child.outputs and child.outputs.failures.get_dict().get("reports"):
                self.ctx.failures[kind] = child.outputs.failures.uuid
            lost = child.outputs.failures["failures"] if "failures" in child.outputs else []
            if lost or not child.is_finished_ok:
                names = self.cells(kind).frames.config_type
                reason = lost[0]["reason"] if lost else child.exit_message or f"it was {child.process_state.value}"
                return self.exit_codes.ERROR_PHASE_NOT_LABELLED.format(
                    phase=str(names[lost[0]["index"]]) if lost else LINKS[kind], pk=child.pk, message=reason.rstrip(".")
                )
            self.ctx.cells[kind] = child.outputs.frames.uuid
        return None

    @property
    def kinds(self) -> list[str]:
        """What is labelled."""
        return [kind for kind in KINDS if kind in self.ctx.cells]

    def counted(self) -> str:
        """Return how much is labelled, in words."""
        return ", ".join(f"{len(self.cells(kind))} {kind}" for kind in self.kinds)

    # ------------------------------------------------------------------ above the hull
    def place(self) -> ExitCode | None:
        """Place the orderings above the hull of the labelled phases."""
        energies = {name: self.inputs[name] for name in ("entries", "frames") if name in self.inputs}
        if "phases" in self.ctx.cells:
            energies["labels"] = self.cells("phases")
        found, refusal = attempt(
            place_on_hull,
            self.inputs.parameters,
            orm.load_node(self.ctx.report_of),
            self.cells("orderings"),
            metadata={"call_link_label": "place_on_hull"},
            **energies,
        )
        if refusal:
            return self.exit_codes.ERROR_ENERGIES_REFUSED.format(message=refusal)
        self.ctx.stability = found.uuid
        # What MD and band gaps come to can't take it away.
        self.out("stability", found)
        self.report(f"{found['above_hull_mev_per_atom']:.1f} meV/atom above the hull")
        return None

    # ------------------------------------------------------------------ MD and gap
    def look_closer(self) -> ToContext | ExitCode | None:
        """Run MD of a large cell, and compute band gaps, side by side."""
        children: dict[str, Child] = {}
        given = (self.inputs.parameters, self.cells("orderings"), orm.load_node(self.ctx.stability))
        if self.inputs.get("md"):
            cell, refusal = attempt(cell_for_md, *given, metadata={"call_link_label": "cell_for_md"})
            if refusal:
                return self.exit_codes.ERROR_COMPOSITION_REFUSED.format(message=refusal)
            self.ctx.md_cell = cell.uuid
            self.report(f"MD of {cell.frames.n_atoms[0]} atoms")
            md = {name: value for name, value in self.inputs.md.items() if name != "analyse"}
            children["md"] = (ProduceWorkChain, {**md, "structure": cell})
        if self.inputs.get("gap"):
            cells = cells_for_gaps(*given, metadata={"call_link_label": "cells_for_gaps"})
            gap = {name: value for name, value in self.inputs.gap.items() if name != "engine"}
            children["gap"] = (WorkflowFactory(self.inputs.gap.engine.value), {**gap, "frames": cells})
        return self.begin("look_closer", **children) if children else None

    def inspect_closer(self) -> None:
        """Attach what came of them: that the one failed is no reason to lose the other."""
        for stage, name in (("md", "trajectory"), ("gap", "gaps")):
            if stage in self.ctx and name in self.ctx[stage].outputs:
                self.out(name, self.ctx[stage].outputs[name])

    def has_run(self) -> bool:
        """Whether there is a whole run to look at."""
        return "md" in self.ctx and self.ctx.md.is_finished_ok

    def analyse(self) -> ToContext | ExitCode | None:
        """Follow the ions along the run."""
        inputs = {**self.inputs.md.analyse, "trajectory": self.ctx.md.outputs.trajectory}
        if message := refusal_of(AnalyseWorkChain, inputs):
            self.ctx.not_analysed = message
            return None
        return self.begin("analyse", analyse=(AnalyseWorkChain, inputs))

    def results(self) -> ExitCode | None:
        """Gather all that was found, then tell what of MD and band gaps failed."""
        parts: dict[str, orm.Data] = {
            f"{kind}_failures": orm.load_node(uuid) for kind, uuid in sorted(self.ctx.failures.items())
        }
        parts |= {kind: self.cells(kind) for kind in self.ctx.failures}
        if "gap" in self.ctx:
            parts["gap_engine"] = self.inputs.gap.engine
            parts |= {name: self.ctx.gap.outputs[name] for name in ("gaps",) if name in self.ctx.gap.outputs}
        else:
            parts["engine"] = self.inputs.label.engine
        if "md" in self.ctx:
            parts |= {"md": self.inputs.md.parameters, "cell": orm.load_node(self.ctx.md_cell)}
        if "analyse" in self.ctx and self.ctx.analyse.is_finished_ok:
            parts["analysis"] = self.ctx.analyse.outputs.analysis
        whole = gather(
            self.inputs.parameters,
            orm.load_node(self.ctx.report_of),
            orm.load_node(self.ctx.stability),
            metadata={"call_link_label": "gather"},
            **parts,
        )
        self.out("followup", whole)
        for sentence in whole["sentences"]:
            self.report(sentence)
        if "not_analysed" in self.ctx:
            return self.refused("analyse", self.ctx.not_analysed)
        started = [stage for stage in ("md", "gap", "analyse") if stage in self.ctx]
        return next((failure for stage in started if (failure := self.failure(stage, self.ctx[stage]))), None)
