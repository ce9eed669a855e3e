"""Settings of labels by CP2K: basis sets, potentials, cut-offs, SCF, k-meshes, isolated atoms, acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, ClassVar

from ase.data import chemical_symbols
from pydantic import Field, field_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.kmesh import KMeshRule, check_last_rule
from aiida_seireact.formats.labels import AcceptanceSettings
from aiida_seireact.science.kmesh import mesh_of_length

Mesh = tuple[int, int, int]

GAMMA: Mesh = (1, 1, 1)
# Files of the plugin `cp2k` (aiida-cp2k 2.1.1), in which it puts the frames of the input `trajectory`.
FRAMES_FILE, CELLS_FILE = "aiida-reftraj.xyz", "aiida-reftraj.cell"


class KindSettings(Job):
    """Basis set and potential of an element, by their names in the files of CP2K, and the spin of its free atom."""

    basis_set: str = Field("DZVP-MOLOPT-SR-GTH", min_length=1, description="name in the file of basis sets")
    potential: str = Field(min_length=1, description="name in the file of potentials, as GTH-PBE-q3")
    multiplicity: int = Field(ge=1, description="2S+1 of the isolated atom: 2, 4, 3, 2 of Li, P, S, Cl")


class AtomSettings(Job):
    """Isolated atoms: spin-polarised, Γ only, not smeared, by orbital transformation."""

    max_scf: int = Field(200, ge=1, description="SCF steps")
    eps_scf: float = Field(1e-6, gt=0, description="largest gradient of an orbital")


class Cp2kSettings(Job):
    """One level of theory. What decides a label, and nothing else, enters the hash of the settings
    (:meth:`identity`)."""

    # How one gets to the ground state, how often one tries, and what one accepts change no label.
    NO_IDENTITY: ClassVar[frozenset[str]] = frozenset(
        ("max_scf", "mixing_alpha", "mixing_history", "max_runs", "acceptance", "isolated_atom")
    )

    kinds: dict[str, KindSettings] = Field(
        min_length=1,
        description="every element of the study: they are the level of theory, whichever a frame has",
    )
    basis_set_file: str = Field("BASIS_MOLOPT", min_length=1, description="in the data folder of CP2K")
    potential_file: str = Field("GTH_POTENTIALS", min_length=1, description="in the data folder of CP2K")
    functional: str = Field("PBE", min_length=1, description="as CP2K names it in XC_FUNCTIONAL")
    cutoff_ry: float = Field(280.0, gt=0, description="cut-off of the finest grid, Ry")
    rel_cutoff_ry: float = Field(40.0, gt=0, description="which Gaussian goes to which grid, Ry")
    eps_default: float = Field(1e-10, gt=0, description="precision of the matrix elements")
    eps_scf: float = Field(1e-6, gt=0, description="SCF threshold of the density")
    max_scf: int = Field(100, ge=1, description="SCF steps of a frame")
    electronic_temperature_k: float = Field(1000.0, gt=0, description="Fermi-Dirac smearing, K")
    added_mos_per_atom: float = Field(1.0, gt=0, description="orbitals above the occupied ones, for the smearing")
    min_added_mos: int = Field(4, ge=1, description="the same for small cells")
    mixing_alpha: float = Field(0.2, gt=0, le=1, description="Broyden mixing: share of the new density")
    mixing_history: int = Field(8, ge=1, description="Broyden mixing: steps that are remembered")
    kmesh: list[KMeshRule] = Field(
        [],
        description="Monkhorst-Pack meshes, the first that fits a cell is taken; empty for Γ alone. An even number "
        "of points leaves Γ out.",
    )
    isolated_atom: AtomSettings = Field(AtomSettings(), description="of frames of type isolated_atom")
    max_runs: int = Field(2, ge=1, le=3, description="runs of one job, for the frames that a killed one left")
    acceptance: AcceptanceSettings = Field(AcceptanceSettings(), description="what a label must fulfil")

    @field_validator("kinds")
    @classmethod
    def _elements_exist(cls, kinds: dict[str, KindSettings]) -> dict[str, KindSettings]:
        if unknown := sorted(set(kinds) - set(chemical_symbols[1:])):
            raise ValueError(f"no elements: {', '.join(unknown)}")
        return kinds

    @field_validator("kmesh")
    @classmethod
    def _last_rule_fits_any(cls, rules: list[KMeshRule]) -> list[KMeshRule]:
        return check_last_rule(rules) if rules else rules

    def mesh(self, symbols: Sequence[str], cell: Any, *, isolated: bool = False) -> Mesh:
        """Return the divisions of the mesh of a cell; it follows from the cell alone, never from its config type.

        :param symbols: of its atoms.
        :param cell: ``(3, 3)`` Å.
        """
        if isolated or not self.kmesh:
            return GAMMA
        return mesh_of_length(cell, next(rule for rule in self.kmesh if rule.fits(symbols)).length_ang)

    def parameters(
        self, symbols: Sequence[str], *, n_frames: int = 1, mesh: Mesh = GAMMA, isolated: bool = False
    ) -> dict[str, Any]:
        """Return the input of CP2K for frames of these atoms, as aiida-cp2k takes it.

        Keywords of REFTRAJ are those of CP2K 2023.1; newer ones (``EVAL``) stop it.
        """
        return {
            "GLOBAL": {"RUN_TYPE": "MD", "PRINT_LEVEL": "MEDIUM"},
            "MOTION": {
                "MD": {
                    "ENSEMBLE": "REFTRAJ",
                    "STEPS": n_frames,
                    "REFTRAJ": {
                        "EVAL_ENERGY_FORCES": True,
                        "EVAL_FORCES": True,
                        "VARIABLE_VOLUME": True,
                        "TRAJ_FILE_NAME": FRAMES_FILE,
                        "CELL_FILE_NAME": CELLS_FILE,
                        "FIRST_SNAPSHOT": 1,
                        "LAST_SNAPSHOT": n_frames,
                    },
                },
                # What was computed comes back beside the labels; the rest only costs disk.
                "PRINT": {
                    "TRAJECTORY": {"FORMAT": "XYZ", "EACH": {"MD": 1}},
                    "CELL": {"EACH": {"MD": 1}},
                    "VELOCITIES": {"_": "OFF"},
                    "RESTART": {"_": "OFF"},
                    "RESTART_HISTORY": {"_": "OFF"},
                },
            },
            "FORCE_EVAL": {
                "METHOD": "QS",
                "STRESS_TENSOR": "NONE" if isolated else "ANALYTICAL",
                "PRINT": {"FORCES": {"_": "ON", "NDIGITS": 12}, "STRESS_TENSOR": {"_": "ON"}},
                "DFT": self._dft(symbols, mesh, isolated),
                "SUBSYS": {
                    # Bonds mean nothing here, and where atoms are close, looking for them stops CP2K before it begins.
                    "TOPOLOGY": {"CONNECTIVITY": "OFF"},
                    "KIND": [
                        {"_": symbol, "BASIS_SET": kind.basis_set, "POTENTIAL": kind.potential}
                        for symbol, kind in sorted(self.kinds.items())
                        if symbol in symbols
                    ],
                },
            },
        }

    def _dft(self, symbols: Sequence[str], mesh: Mesh, isolated: bool) -> dict[str, Any]:
        dft: dict[str, Any] = {
            "BASIS_SET_FILE_NAME": self.basis_set_file,
            "POTENTIAL_FILE_NAME": self.potential_file,
            "MGRID": {"CUTOFF": self.cutoff_ry, "REL_CUTOFF": self.rel_cutoff_ry},
            # A label must not hang on the frames that share its job: each begins with the densities of its atoms, also
            # after one that did not converge. It costs a quarter.
            "QS": {"EPS_DEFAULT": self.eps_default, "EXTRAPOLATION": "USE_GUESS"},
            "SCF": self._scf_of_atom() if isolated else self._scf(len(symbols)),
            "XC": {"XC_FUNCTIONAL": {"_": self.functional}},
        }
        if isolated:
            dft |= {"UKS": True, "MULTIPLICITY": self.kinds[symbols[0]].multiplicity}
        if mesh != GAMMA:
            dft["KPOINTS"] = {"SCHEME": f"MONKHORST-PACK {mesh[0]} {mesh[1]} {mesh[2]}", "FULL_GRID": True}
        return dft

    def _scf(self, n_atoms: int) -> dict[str, Any]:
        # Orbital transformation can't smear, and a cell with lithium may be a metal.
        return {
            "SCF_GUESS": "ATOMIC",
            "EPS_SCF": self.eps_scf,
            "MAX_SCF": self.max_scf,
            "ADDED_MOS": max(self.min_added_mos, ceil(self.added_mos_per_atom * n_atoms)),
            "DIAGONALIZATION": {"_": "ON"},
            "MIXING": {"METHOD": "BROYDEN_MIXING", "ALPHA": self.mixing_alpha, "NBROYDEN": self.mixing_history},
            "SMEAR": {
                "_": "ON",
                "METHOD": "FERMI_DIRAC",
                "ELECTRONIC_TEMPERATURE": f"[K] {self.electronic_temperature_k:g}",
            },
            "PRINT": {"RESTART": {"_": "OFF"}},
        }

    def _scf_of_atom(self) -> dict[str, Any]:
        return {
            "SCF_GUESS": "ATOMIC",
            "EPS_SCF": self.isolated_atom.eps_scf,
            "MAX_SCF": self.isolated_atom.max_scf,
            "OT": {"_": "ON", "MINIMIZER": "DIIS", "PRECONDITIONER": "FULL_SINGLE_INVERSE"},
            "PRINT": {"RESTART": {"_": "OFF"}},
        }

    def identity(self, version: str) -> dict[str, Any]:
        """Return all that decides a label.

        :param version: of CP2K, as it tells itself; basis sets and potentials come with it, under their names.
        """
        return {
            "engine": "seireact.label.cp2k",
            "program": "cp2k",
            "version": version,
            **self.model_dump(mode="json", exclude=set(self.NO_IDENTITY)),
            "mesh_scheme": "MONKHORST-PACK",
            "isolated_atom": {"mesh": list(GAMMA), "uks": True, "eps_scf": self.isolated_atom.eps_scf},
        }
