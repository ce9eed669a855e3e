"""``seireact.atoms``: energies of isolated atoms, from which models count theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain
from ase.data import atomic_numbers

from aiida_seireact.calculations.functions.atoms import isolated_atom_energies, make_isolated_atoms
from aiida_seireact.workchains.label import LabelWorkChain, find_code_of
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.restartable import RestartableMixin


class IsolatedAtomsWorkChain(ProtocolMixin, RestartableMixin, WorkChain):
    """Labels one atom of each species by the engine and settings of the other labels, spin-polarised.

    An atom that these settings have labelled before is not computed again, as any frame.
    """

    PROTOCOL_FILE: ClassVar[str] = "label.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("species", valid_type=orm.List, validator=validate_species, help="Element symbols.")
        spec.expose_inputs(LabelWorkChain, exclude=("frames", "metadata"))
        spec.output(
            "isolated_atoms",
            valid_type=orm.Dict,
            help="`energies_ev` by species and their `source`; the input `reference_energies` of both learners.",
        )
        spec.output("failures", valid_type=orm.Dict, required=False, help="Atoms without an energy, with the reason.")
        spec.outline(cls.label, cls.results)
        spec.exit_code(
            442,
            "ERROR_ATOM_FAILED",
            message="There is no energy of an isolated {species} from <{pk}>: {message}. Fit reference energies to the "
            "data instead, or let the engine try harder.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        species: Sequence[str],
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with engine and settings of a protocol of labels."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.species = orm.List(list(species))
        builder.code = code or find_code_of(inputs["engine"])
        builder.engine = orm.Str(inputs["engine"])
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.options = dict(options or {})
        return builder

    def label(self) -> ToContext:
        """Label the atoms."""
        atoms = make_isolated_atoms(self.inputs.species, metadata={"call_link_label": "make_isolated_atoms"})
        self.report(f"isolated {', '.join(atoms.base.attributes.get('species'))} by {self.inputs.engine.value}")
        return ToContext(
            labels=self.submit(
                LabelWorkChain,
                frames=atoms,
                **self.exposed_inputs(LabelWorkChain),
                metadata={"call_link_label": "label"},
            )
        )

    def results(self) -> ExitCode | None:
        """Tell the energies, if there is one of every species."""
        labels = self.ctx.labels
        lost = labels.outputs.failures["failures"] if "failures" in labels.outputs else []
        if "failures" in labels.outputs:
            self.out("failures", labels.outputs.failures)
        if lost or not labels.is_finished_ok:
            symbol = labels.inputs.frames.to_ase(lost[0]["index"]).symbols[0] if lost else "atom"
            reason = lost[0]["reason"] if lost else labels.exit_message or f"it was {labels.process_state.value}"
            return self.exit_codes.ERROR_ATOM_FAILED.format(species=symbol, pk=labels.pk, message=reason.rstrip("."))
        self.out(
            "isolated_atoms",
            isolated_atom_energies(
                labels.outputs.frames, self.inputs.engine, metadata={"call_link_label": "isolated_atom_energies"}
            ),
        )
        return None


def validate_species(species: orm.List, _: Any) -> str | None:
    """Refuse what is no element."""
    symbols = species.get_list()
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers or symbol == "X"]
    if unknown or not symbols:
        return f"Give at least one element symbol; {unknown} are none."
    return None
