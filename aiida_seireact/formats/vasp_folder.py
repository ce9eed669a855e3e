"""VASP runs on disk: frames of vasprun.xml or OUTCAR through ASE, with the mark of convergence of each ionic step."""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

from ase import Atoms
from ase.io import read as ase_read

from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.labels import Label
from aiida_seireact.formats.outside import Found, Run, label_of

XML, OUTCAR = "vasprun.xml", "OUTCAR"
NAMES = (XML, f"{XML}.gz", OUTCAR, f"{OUTCAR}.gz")
CONVERGED = "aborting loop because EDIFF is reached"
VERSION = re.compile(r'name="version"[^>]*>([^<]*)<')
STEP_ENDS = "FREE ENERGIE OF THE ION-ELECTRON SYSTEM"


def read_vasp(folder: Path) -> list[Run]:
    """Return the runs under a folder, each vasprun.xml, or OUTCAR where there is none; a broken run costs no other.

    The energy is the free energy, to which the forces belong; the one extrapolated to zero smearing is kept beside it.
    A step counts as converged if its loop ended before NELM (vasprun.xml) or says so (OUTCAR).

    :raises FramesError: no run.
    """
    runs = []
    for place in sorted({path.parent for name in NAMES for path in folder.rglob(name)}):
        path = next(place / name for name in NAMES if (place / name).exists())
        name = str(path.relative_to(folder))
        runs.append(Run(name, _run(path)))
    if not runs:
        raise FramesError(
            f"There is no vasprun.xml and no OUTCAR under {folder}: give the folder of a run or one above."
        )
    return runs


def version_of(path: Path) -> str:
    """Return the version of VASP that wrote a vasprun.xml, an empty string if it is not told."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        match = VERSION.search(stream.read(4096))
    return match[1].strip() if match else ""


def _run(path: Path) -> list[Found]:
    if path.suffix != ".gz":
        return _xml(path) if path.name == XML else _outcar(path)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        with gzip.open(path) as packed, plain.open("wb") as stream:
            shutil.copyfileobj(packed, stream)
        return _run(plain)


def _xml(path: Path) -> list[Found]:
    converged, is_whole = _ended_before_nelm(path)
    if not converged:
        return [_broken("vasprun.xml ends before its first ionic step does")]
    # ASE counts a step that is cut off; only those that ended are read.
    images = cast(list[Atoms], ase_read(path, index=slice(0, len(converged)), format="vasp-xml"))
    found = [_found(atoms, mark) for atoms, mark in zip(images, converged, strict=True)]
    return found if is_whole else [*found, _broken("vasprun.xml is cut off in this ionic step")]


def _ended_before_nelm(path: Path) -> tuple[list[bool], bool]:
    """Return for each whole ionic step whether its electronic loop ended before NELM, and whether the file is whole."""
    nelm, loops, marks = None, 0, []
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag == "i" and element.get("name") == "NELM" and element.text:
                nelm = int(element.text)
            elif element.tag == "scstep":
                loops += 1
            elif element.tag == "calculation":
                marks.append(nelm is not None and 0 < loops < nelm)
                loops = 0
                element.clear()
    except ElementTree.ParseError:
        return marks, False
    return marks, True


def _outcar(path: Path) -> list[Found]:
    steps = path.read_text(encoding="utf-8", errors="replace").split(STEP_ENDS)
    marks = [CONVERGED in step for step in steps[:-1]]
    if not marks:
        return [_broken("OUTCAR ends before its first ionic step does")]
    try:
        images = cast(list[Atoms], ase_read(path, index=":", format="vasp-out"))
    except Exception as error:  # ASE raises whatever its parser met
        return [_broken(f"OUTCAR is not readable ({error})")]
    marks += [False] * (len(images) - len(marks))
    found = [_found(atoms, mark) for atoms, mark in zip(images, marks, strict=False)]
    return found if len(images) >= len(steps) - 1 else [*found, _broken("OUTCAR is cut off in this ionic step")]


def _found(atoms: Atoms, converged: bool) -> Found:
    label = label_of(atoms)
    if isinstance(label, Label):
        label = replace(label, converged=converged)
    return Found(atoms, label)


def _broken(reason: str) -> Found:
    """Return the place of a frame that can't be read, so that it is told and not passed over."""
    return Found(Atoms("X", positions=[[0, 0, 0]]), reason)
