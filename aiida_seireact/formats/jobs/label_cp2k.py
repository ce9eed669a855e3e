"""Settings of labels by CP2K: basis, grids, k-meshes, smearing, isolated atoms, what a label must fulfil."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.kmesh import KMeshRule, check_last_rule
from aiida_seireact.formats.labels import AcceptanceSettings
from aiida_seireact.science.kmesh import mesh_of_length

Mesh = tuple[int, int, int]
Section = dict[str, Any]

ISOLATED_ATOM = "isolated_atom"
# Names that aiida-cp2k 2.1.1 gives the files of its input `trajectory`.
POSITIONS_FILE, CELLS_FILE = "aiida-reftraj.xyz", "aiida-reftraj.cell"


class ElementSettings(Job):
    """An element by the names of CP2K's data files."""

    basis_set: str = Field(min_length=1, description="as in `basis_set_file`, say DZVP-MOLOPT-SR-GTH")
    potential: str = Field(min_length=1, description="as in `potential_file`, say GTH-PBE-q3")
    multiplicity: int = Field(ge=1, description="2S + 1 of the isolated atom")


class Cp2kSettings(Job):
    """One level of theory. What decides a label, and nothing else, enters the hash of the settings
    (:meth:`identity`)."""

    elements: dict[str, ElementSettings] = Field(
        min_length=1,
        description="every element of the study: their potentials are the level of theory, whichever a frame has",
    )
    basis_set_file: str = Field("BASIS_MOLOPT", description="name in CP2K's data folder, no path")
    potential_file: str = Field("GTH_POTENTIALS", description="name in CP2K's data folder, no path")
    cutoff_ry: float = Field(280.0, gt=0, description="CUTOFF of the finest grid, Ry")
    rel_cutoff_ry: float = Field(40.0, gt=0, description="REL_CUTOFF, Ry")
    eps_default: float = Field(1e-10, gt=0, description="EPS_DEFAULT of the integrals")
    eps_scf: float = Field(1e-6, gt=0, description="EPS_SCF, change of the density matrix at convergence")
    max_scf: int = Field(60, ge=1, description="SCF steps of a frame")
    mixing_alpha: float = Field(0.2, gt=0, le=1, description="ALPHA of the Broyden mixing")
    mixing_history: int = Field(8, ge=1, description="NBROYDEN, steps it remembers")
    electronic_temperature_k: float = Field(1000.0, gt=0, description="Fermi-Dirac smearing of all cells, K")
    added_mos_per_atom: float = Field(1.0, gt=0, description="empty orbitals an atom, for the smearing")
    added_mos_min: int = Field(6, ge=1, description="empty orbitals of a cell at least")
    kmesh: list[KMeshRule] | None = Field(
        None, description="the first rule that fits a cell is taken; default: Γ only, for large cells"
    )
    reuse_density: bool = Field(True, description="start the SCF of a frame from the density of the one before it")
    acceptance: AcceptanceSettings = Field(AcceptanceSettings(), description="what a label must fulfil")

    @field_validator("kmesh")
    @classmethod
    def _last_rule_fits_any(cls, rules: list[KMeshRule] | None) -> list[KMeshRule] | None:
        return rules if rules is None else check_last_rule(rules)

    @field_validator("basis_set_file", "potential_file")
    @classmethod
    def _name_without_path(cls, name: str) -> str:
        if not name or "/" in name:
            raise ValueError("give the name of a file in CP2K's data folder, without a path")
        return name

    @model_validator(mode="after")
    def _grids_fit(self) -> Cp2kSettings:
        if self.rel_cutoff_ry > self.cutoff_ry:
            raise ValueError(f"rel_cutoff_ry {self.rel_cutoff_ry:g} is above cutoff_ry {self.cutoff_ry:g}")
        return self

    def mesh(self, symbols: Sequence[str], cell: Any, *, isolated: bool = False) -> Mesh:
        """Return the divisions of the mesh of a cell; it follows from the cell alone.

        :param symbols: of its atoms.
        :param cell: ``(3, 3)`` Å.
        """
        if isolated or self.kmesh is None:
            return 1, 1, 1
        return mesh_of_length(cell, next(rule for rule in self.kmesh if rule.fits(symbols)).length_ang)

    def parameters(self, symbols: Sequence[str], mesh: Mesh, n_frames: int, *, isolated: bool = False) -> Section:
        """Return the input of CP2K 2023.1, as aiida-cp2k takes it, for ``n_frames`` frames of these atoms.

        :param mesh: of :meth:`mesh`.
        :param isolated: one atom with its spin, Γ only and without stress.
        """
        each: Section = {"EACH": {"MD": 1}}
        force_eval: Section = {
            "METHOD": "QS",
            "PRINT": {"FORCES": {"_": "ON", "NDIGITS": 12}},
            "DFT": self._dft(symbols, mesh, isolated=isolated),
            "SUBSYS": {
                "KIND": [
                    {"_": symbol, "BASIS_SET": element.basis_set, "POTENTIAL": element.potential}
                    for symbol, element in sorted(self.elements.items())
                    if symbol in symbols
                ]
            },
        }
        if not isolated:
            force_eval["STRESS_TENSOR"] = "ANALYTICAL"
            force_eval["PRINT"]["STRESS_TENSOR"] = {"_": "ON"}
        return {
            "GLOBAL": {"RUN_TYPE": "MD", "PRINT_LEVEL": "MEDIUM"},
            "MOTION": {
                "MD": {
                    "ENSEMBLE": "REFTRAJ",
                    "STEPS": n_frames,
                    # The newer keyword EVAL makes CP2K 2023.1 abort.
                    "REFTRAJ": {
                        "EVAL_ENERGY_FORCES": True,
                        "EVAL_FORCES": True,
                        "VARIABLE_VOLUME": True,
                        "TRAJ_FILE_NAME": POSITIONS_FILE,
                        "CELL_FILE_NAME": CELLS_FILE,
                        "FIRST_SNAPSHOT": 1,
                        "LAST_SNAPSHOT": n_frames,
                    },
                },
                "PRINT": {"TRAJECTORY": {"FORMAT": "XYZ", **each}, "CELL": each},
            },
            "FORCE_EVAL": force_eval,
        }

    def _dft(self, symbols: Sequence[str], mesh: Mesh, *, isolated: bool) -> Section:
        scf: Section = {
            "EPS_SCF": self.eps_scf,
            "MAX_SCF": self.max_scf,
            "SCF_GUESS": "ATOMIC",
            "PRINT": {"RESTART": {"_": "OFF"}},
        }
        dft: Section = {
            "BASIS_SET_FILE_NAME": self.basis_set_file,
            "POTENTIAL_FILE_NAME": self.potential_file,
            "MGRID": {"CUTOFF": self.cutoff_ry, "REL_CUTOFF": self.rel_cutoff_ry},
            "QS": {
                "EPS_DEFAULT": self.eps_default,
                "EXTRAPOLATION": "USE_PREV_P" if self.reuse_density and not isolated else "USE_GUESS",
            },
            "SCF": scf,
            "XC": {"XC_FUNCTIONAL": {"_": "PBE"}},
        }
        if isolated:
            # Smeared, an atom would not keep its moment; OT can't smear, and a single atom needs none.
            scf["OT"] = {"MINIMIZER": "CG", "PRECONDITIONER": "FULL_SINGLE_INVERSE"}
            dft |= {"UKS": True, "MULTIPLICITY": self.elements[symbols[0]].multiplicity}
            return dft
        scf |= {
            "ADDED_MOS": max(self.added_mos_min, math.ceil(self.added_mos_per_atom * len(symbols))),
            "DIAGONALIZATION": {"_": "ON"},
            "SMEAR": {
                "_": "ON",
                "METHOD": "FERMI_DIRAC",
                "ELECTRONIC_TEMPERATURE": f"[K] {self.electronic_temperature_k:g}",
            },
            "MIXING": {
                "METHOD": "BROYDEN_MIXING",
                "ALPHA": self.mixing_alpha,
                "NBROYDEN": self.mixing_history,
            },
        }
        if mesh != (1, 1, 1):
            # Nothing is left to symmetry. The port `kpoints` of aiida-cp2k writes FULL_GRID OFF.
            dft["KPOINTS"] = {"SCHEME": "MONKHORST-PACK {} {} {}".format(*mesh), "FULL_GRID": True, "SYMMETRY": False}
        return dft

    def identity(self, version: str) -> dict[str, Any]:
        """Return all that decides a label. Basis sets and potentials are told by name: they belong to a version.

        :param version: of CP2K, as it tells itself.
        """
        solver = {"max_scf", "mixing_alpha", "mixing_history", "reuse_density", "acceptance"}
        return {
            "engine": "seireact.label.cp2k",
            "program": "cp2k",
            "version": version,
            "functional": "PBE",
            "smearing": "fermi-dirac",
            "symmetry": False,
            "isolated_atom": {"mesh": [1, 1, 1], "solver": "ot", "smearing": None},
            **self.model_dump(mode="json", exclude=solver),
        }
