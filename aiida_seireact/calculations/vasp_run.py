"""One run of VASP by aiida-vasp, read from what it left: whether it may be trusted, and the label it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.formats.jobs.label_vasp import SOLVER_TAGS, deviations
from aiida_seireact.formats.labels import Label

EV_PER_ANG3_IN_KBAR = 1602.1766208
XX_YY_ZZ_YZ_XZ_XY = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))


@dataclass(frozen=True, eq=False)
class VaspRun:
    """The last run of VASP for a frame, found from one of its outputs.

    :param misc: what aiida-vasp read; empty if it read nothing.
    :param calculation: the job, None if no job was started.
    :param workchain: the ``vasp.v2.vasp`` that started it.
    :param inputs: inputs of the job by link label.
    :param trajectory: what it computed with. Of a single point it holds the same frame twice, and one energy.
    """

    misc: dict[str, Any] = field(default_factory=dict)
    calculation: orm.CalcJobNode | None = None
    workchain: orm.WorkChainNode | None = None
    inputs: dict[str, orm.Data] = field(default_factory=dict)
    trajectory: orm.TrajectoryData | None = None

    @classmethod
    def of(cls, output: orm.Data | None) -> VaspRun:
        """Return the run that left ``output``, its ``retrieved`` or ``remote_folder``."""
        if output is None:
            return cls()
        calculation = output.creator
        incoming = calculation.base.links.get_incoming().all()
        outputs = {link.link_label: link.node for link in calculation.base.links.get_outgoing().all()}
        return cls(
            misc=outputs["misc"].get_dict() if "misc" in outputs else {},
            calculation=calculation,
            workchain=next((link.node for link in incoming if isinstance(link.node, orm.WorkChainNode)), None),
            inputs={link.link_label: link.node for link in incoming if isinstance(link.node, orm.Data)},
            trajectory=outputs.get("trajectory"),
        )

    @property
    def version(self) -> str:
        """Version of VASP, as it tells itself."""
        return str(self.misc.get("version", "")).strip()

    @property
    def incar(self) -> dict[str, Any]:
        """The INCAR of this run; handlers of aiida-vasp may have changed what was asked for."""
        node = self.inputs.get("parameters")
        return node.get_dict() if node is not None else {}

    def refusal(self, asked: Mapping[str, Any], sha512: Mapping[str, str]) -> str | None:
        """Return why there is no label to be read, None if there is one.

        :param asked: the INCAR that was asked for.
        :param sha512: of the POTCAR of each element.
        """
        if self.calculation is None or self.workchain is None:
            return "no job of VASP was started for it: `verdi process report` of its vasp.v2.vasp tells why"
        if self.calculation.exit_status != 0 or self.workchain.exit_status != 0:
            return self.failure()
        if missing := [name for name in ("total_energies", "forces", "version") if self.misc.get(name) is None]:
            return f"aiida-vasp found no {', '.join(missing)} in its output"
        if self.trajectory is None:
            return "its output does not tell which atoms were computed"
        return self.unlike(asked, sha512)

    def unlike(self, asked: Mapping[str, Any], sha512: Mapping[str, str]) -> str | None:
        """Return why what it left is of another level of theory than asked for, None if it is not."""
        other = {tag: how for tag, how in deviations(asked, self.incar).items() if tag not in SOLVER_TAGS}
        if other:
            return f"it ran with other settings than asked for: {'; '.join(other.values())}"
        for label, potential in self.inputs.items():
            if label.startswith("potential__"):
                attributes = potential.base.attributes
                if sha512.get(str(attributes.get("element"))) != attributes.get("sha512"):
                    return f"it ran with another POTCAR of {attributes.get('element')} than the one of these settings"
        return None

    def failure(self) -> str:
        """Return how a failed run ended, in the words of aiida-vasp, and in which run."""
        assert self.calculation is not None
        assert self.workchain is not None
        run = sum(isinstance(child, orm.CalcJobNode) for child in self.workchain.called)
        if self.calculation.is_excepted:
            # NaN in energy, forces or stress ends here: AiiDA stores none.
            return f"AiiDA can't keep its output: {str(self.calculation.exception).rstrip('.')} (run {run})"
        status = self.misc.get("run_status", {})
        if status.get("finished") and not status.get("electronic_converged"):
            steps = status["last_iteration_index"][1]  # [ionic step, electronic step]
            return f"its electronic structure is not converged after {steps} steps (run {run})"
        node = self.calculation if self.calculation.exit_status else self.workchain
        words = node.exit_message or f"it was {node.process_state.value}"
        return f"{words.rstrip('.')} (exit {node.exit_status} of aiida-vasp, run {run})"

    def changed(self, asked: Mapping[str, Any]) -> list[str]:
        """Return what the handlers of aiida-vasp changed in the INCAR, a phrase a tag."""
        return list(deviations(asked, self.incar).values())

    def label(self, order: NDArray[np.int64]) -> Label | str:
        """Return the label, its atoms put back into the order of the frame, or why it can't be read.

        :param order: ``(n_atoms,)`` the atom of the frame that went to each place of the POSCAR.
        """
        try:
            return self._label(order)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            # What aiida-vasp could not read is None, or lacks numbers; such a frame must cost no other.
            return f"its output is not whole: {error}"

    def _label(self, order: NDArray[np.int64]) -> Label:
        assert self.trajectory is not None
        energies, stress = self.misc["total_energies"], self.misc.get("stress")
        cell = self.trajectory.get_array("cells")[0]
        numbers = np.array([atomic_numbers[symbol] for symbol in self.trajectory.base.attributes.get("symbols")])
        positions = self.trajectory.get_array("positions")[0] @ cell
        forces = np.asarray(self.misc["forces"], dtype=np.float64)
        if not len(forces) == len(numbers) == len(order):
            raise ValueError(f"{len(forces)} forces on {len(numbers)} atoms for a frame of {len(order)}")
        back = np.argsort(order)
        return Label(
            energy=float(energies["energy_free"]),
            energy_e0=float(energies["energy_extrapolated"]),
            forces=forces[back],
            stress=None if stress is None else stress_from_kbar(stress),
            converged=self.misc["run_status"]["electronic_converged"] is True,
            numbers=numbers[back],
            positions=positions[back],
            cell=cell,
        )


def stress_from_kbar(stress: ArrayLike) -> NDArray[np.float64]:
    """Return a stress of VASP, ``(3, 3)`` in kbar and positive where the cell is compressed, as ASE has it.

    :returns: ``(6,)`` xx yy zz yz xz xy, eV/Å³, negative where the cell is compressed.
    """
    matrix = np.asarray(stress, dtype=np.float64)
    return -matrix[XX_YY_ZZ_YZ_XZ_XY] / EV_PER_ANG3_IN_KBAR
