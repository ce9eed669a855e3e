"""One run of MD by a program that is not ours, read from what its job left, whole or cut short."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.calculations.cp2k_run import Cp2kRun
from aiida_seireact.calculations.pw_run import STANDARD_OUTPUT, PwRun
from aiida_seireact.calculations.vasp_run import VaspRun
from aiida_seireact.formats.jobs.label_qe import Parameters
from aiida_seireact.formats.labels import Label
from aiida_seireact.formats.md_run import MdRun
from aiida_seireact.formats.pw_output import read_md
from aiida_seireact.formats.vasp_folder import XML, read_vasp, version_of

NO_JOB = "no job was started for it: `verdi process report` tells why"


def vasp_md(
    output: orm.Data | None, asked: Mapping[str, Any], sha512: Mapping[str, str], order: NDArray[np.int64]
) -> MdRun:
    """Return a run of VASP from the files that its job left.

    Each step of vasprun.xml has its mark of convergence, also where the file is torn; what aiida-vasp made of the whole
    counts only as the reason why steps are missing.

    :param output: ``retrieved``, else ``remote_folder``.
    :param order: ``(n_atoms,)`` the atom of the frame that went to each place of the POSCAR.
    """
    run = VaspRun.of(output)
    if run.calculation is None or run.workchain is None:
        return MdRun(ended=NO_JOB)
    if reason := run.unlike(asked, sha512):
        return MdRun(ended=reason)
    if not isinstance(output, orm.FolderData) or XML not in output.base.repository.list_object_names():
        return MdRun(ended=run.failure())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / XML).write_bytes(output.base.repository.get_object_content(XML, mode="rb"))
        version = version_of(folder / XML)
        try:
            ((*found,),) = [single.found for single in read_vasp(folder)]
        except Exception as error:  # ASE raises whatever its parser met
            return MdRun(version=version, ended=f"its vasprun.xml is not readable: {error}")
    labels = [put_back(item.atoms, item.label, order) for item in found]
    if labels and isinstance(labels[-1], str) and len(found[-1].atoms) != len(order):
        labels.pop()  # the place of a step that is cut off
    return MdRun(labels, version, run.failure(), run.changed(asked))


def put_back(atoms: Atoms, label: Label | str, order: NDArray[np.int64]) -> Label | str:
    """Return the label of a step with its atoms in the order of the frame."""
    if isinstance(label, str) or len(atoms) != len(order):
        return label
    back = np.argsort(order)
    return replace(
        label,
        forces=label.forces[back],
        numbers=atoms.numbers[back],
        positions=atoms.positions[back],
        cell=atoms.cell.array,
    )


def pw_md(output: orm.Data | None, asked: Parameters, md5: Mapping[str, str]) -> MdRun:
    """Return a run of pw.x from its standard output.

    :param output: ``retrieved``, else ``remote_folder``.
    """
    run = PwRun.of(output)
    if run.calculation is None or run.workchain is None:
        return MdRun(ended=NO_JOB)
    if reason := run.unlike(asked, md5):
        return MdRun(ended=reason)
    if not isinstance(output, orm.FolderData) or STANDARD_OUTPUT not in output.base.repository.list_object_names():
        return MdRun(ended=run.failure())
    found = read_md(output.base.repository.get_object_content(STANDARD_OUTPUT))
    ended = "pw.x stopped there" if run.calculation.is_finished_ok else run.failure()
    return MdRun(found.labels, found.version, ended, run.changed(asked))


def cp2k_md(output: orm.Data | None) -> MdRun:
    """Return a run of CP2K from what the parser `seireact.cp2k` found.

    :param output: ``output_parameters``, else ``retrieved`` or ``remote_folder``.
    """
    if output is None:
        return MdRun(ended=NO_JOB)
    run = Cp2kRun.of(output)
    return MdRun([run.label(step) for step in range(run.n_whole)], run.version, run.reason)
