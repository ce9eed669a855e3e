"""One run of pw.x by aiida-quantumespresso, read from what it left: whether it may be trusted, and its label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm
from ase.data import atomic_numbers
from ase.units import GPa
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.formats.jobs.label_qe import SILENT_KEYS, SOLVER_KEYS, Parameters, deviations
from aiida_seireact.formats.labels import Label

XX_YY_ZZ_YZ_XZ_XY = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
STANDARD_OUTPUT, STANDARD_ERROR = "aiida.out", "_scheduler-stderr.txt"


@dataclass(frozen=True, eq=False)
class PwRun:
    """The last run of pw.x for a frame, found from one of its outputs.

    :param found: ``output_parameters``, what aiida-quantumespresso read; empty if it read nothing.
    :param calculation: the job, None if no job was started.
    :param workchain: the ``quantumespresso.pw.base`` that started it.
    :param inputs: inputs of the job by link label.
    :param outputs: outputs of the job by link label.
    """

    found: dict[str, Any] = field(default_factory=dict)
    calculation: orm.CalcJobNode | None = None
    workchain: orm.WorkChainNode | None = None
    inputs: dict[str, orm.Data] = field(default_factory=dict)
    outputs: dict[str, orm.Data] = field(default_factory=dict)

    @classmethod
    def of(cls, output: orm.Data | None) -> PwRun:
        """Return the run that left ``output``: ``output_parameters``, or ``retrieved`` or ``remote_folder`` of a
        failed one."""
        if output is None:
            return cls()
        calculation = output.creator
        incoming = calculation.base.links.get_incoming().all()
        return cls(
            found=output.get_dict() if isinstance(output, orm.Dict) else {},
            calculation=calculation,
            workchain=next((link.node for link in incoming if isinstance(link.node, orm.WorkChainNode)), None),
            inputs={link.link_label: link.node for link in incoming if isinstance(link.node, orm.Data)},
            outputs={link.link_label: link.node for link in calculation.base.links.get_outgoing().all()},
        )

    @property
    def version(self) -> str:
        """Version of pw.x, as it tells itself."""
        return str(self.found.get("creator_version", "")).strip()

    @property
    def converged(self) -> bool:
        """The positive mark: pw.x says that its last SCF met the threshold."""
        return self._scf.get("convergence_achieved") is True

    @property
    def _scf(self) -> dict[str, Any]:
        scf: dict[str, Any] = self.found.get("convergence_info", {}).get("scf_conv", {})
        return scf

    @property
    def parameters(self) -> Parameters:
        """The namelists of this run; handlers of aiida-quantumespresso may have changed what was asked for."""
        node = self.inputs.get("parameters")
        return node.get_dict() if node is not None else {}

    def refusal(self, asked: Parameters, md5: Mapping[str, str]) -> str | None:
        """Return why there is no label to be read, None if there is one.

        :param asked: the namelists that were asked for.
        :param md5: of the UPF file of each element.
        """
        if self.calculation is None or self.workchain is None:
            return "no job of pw.x was started for it: `verdi process report` of its PwBaseWorkChain tells why"
        if self.calculation.exit_status != 0 or self.workchain.exit_status != 0:
            return self.failure()
        if not self.version:
            return "aiida-quantumespresso found no version of pw.x in its output"
        arrays = self.outputs["output_trajectory"].get_arraynames() if "output_trajectory" in self.outputs else []
        if missing := [name for name in ("energy", "forces", "positions", "cells") if name not in arrays]:
            return f"aiida-quantumespresso found no {', '.join(missing)} in its output"
        return self.unlike(asked, md5)

    def unlike(self, asked: Parameters, md5: Mapping[str, str]) -> str | None:
        """Return why what it left is of another level of theory than asked for, None if it is not."""
        if other := {key: how for key, how in deviations(asked, self.parameters).items() if key not in SOLVER_KEYS}:
            return f"it ran with other settings than asked for: {'; '.join(other.values())}"
        for label, pseudo in self.inputs.items():
            if label.startswith("pseudos__") and md5.get(pseudo.element) != pseudo.md5:
                return f"it ran with another pseudopotential of {pseudo.element} than the one of these settings"
        return None

    def failure(self) -> str:
        """Return how a failed run ended, and after how many runs."""
        assert self.calculation is not None
        assert self.workchain is not None
        runs = [child for child in self.workchain.called if isinstance(child, orm.CalcJobNode)]
        node = self.calculation if self.calculation.exit_status else self.workchain
        if self._scf.get("convergence_achieved") is False:
            words = f"its electronic structure is not converged after {self._scf.get('n_scf_steps')} steps"
        else:
            said = self._last_words() if self.calculation.exit_status else ""
            words = (said or str(node.exit_message or node.process_state.value)).rstrip(".")
        return f"{words} (exit {node.exit_status} of aiida-quantumespresso, run {len(runs)})"

    def _last_words(self) -> str:
        """Return the error in the output of pw.x; where there is no output to speak of, what the job said last."""
        retrieved = self.outputs.get("retrieved")
        if retrieved is None:
            return ""
        return error_of(retrieved) or ("" if self.found else last_line_of(retrieved))

    def changed(self, asked: Parameters) -> list[str]:
        """Return what the handlers of aiida-quantumespresso changed in the namelists, a phrase a key."""
        return [how for key, how in deviations(asked, self.parameters).items() if key not in SILENT_KEYS]

    @property
    def magnetization(self) -> float | None:
        """Total magnetisation of a spin-polarised run, μB in the cell; None of any other."""
        value = self.found.get("total_magnetization") if self.found.get("lsda") else None
        return None if value is None else float(value)

    def label(self) -> Label:
        """Return the label: the total free energy, to which the forces belong."""
        trajectory = self.outputs["output_trajectory"]
        stress = trajectory.get_array("stress")[-1] if "stress" in trajectory.get_arraynames() else None
        return Label(
            energy=float(trajectory.get_array("energy")[-1]),
            forces=np.asarray(trajectory.get_array("forces")[-1], dtype=np.float64),
            stress=None if stress is None else stress_from_gpa(stress),
            converged=self.converged,
            numbers=np.array([atomic_numbers[symbol] for symbol in trajectory.base.attributes.get("symbols")]),
            positions=np.asarray(trajectory.get_array("positions")[-1], dtype=np.float64),
            cell=np.asarray(trajectory.get_array("cells")[-1], dtype=np.float64),
        )


def stress_from_gpa(stress: ArrayLike) -> NDArray[np.float64]:
    """Return a stress of aiida-quantumespresso, ``(3, 3)`` in GPa and positive where the cell is compressed, as in ASE.

    :returns: ``(6,)`` xx yy zz yz xz xy, eV/Å³, negative where the cell is compressed.
    """
    return -np.asarray(stress, dtype=np.float64)[XX_YY_ZZ_YZ_XZ_XY] * GPa


def error_of(folder: orm.FolderData) -> str:
    """Return the error that pw.x wrote into its output, an empty string if it wrote none."""
    match = re.search(r"^ *Error in routine +(.+?)\s*\n *(.+?)\s*$", _text(folder, STANDARD_OUTPUT), re.MULTILINE)
    return f"pw.x stopped in {match[1]} {match[2]}" if match else ""


def last_line_of(folder: orm.FolderData) -> str:
    """Return what a job without output wrote last to its standard error, an empty string if it wrote nothing."""
    lines = _text(folder, STANDARD_ERROR).strip().splitlines()
    return f"pw.x left no whole output; the last words of the job: {lines[-1].strip()}" if lines else ""


def _text(folder: orm.FolderData, name: str) -> str:
    repository = folder.base.repository
    return str(repository.get_object_content(name)) if name in repository.list_object_names() else ""
