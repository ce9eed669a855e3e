"""Settings of labels by Quantum ESPRESSO: cut-offs, k-meshes, occupations, isolated atoms, what a label must fulfil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ase.data import chemical_symbols
from ase.formula import Formula
from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.kmesh import KMeshRule, check_last_rule
from aiida_seireact.formats.labels import AcceptanceSettings
from aiida_seireact.science.kmesh import mesh_of_length

Parameters = dict[str, dict[str, Any]]
Mesh = tuple[int, int, int]

# How the ground state is looked for, not which it is: what the handlers of aiida-quantumespresso may change on the way.
SOLVER_KEYS = frozenset(
    (
        "CONTROL.max_seconds",
        "CONTROL.restart_mode",
        "ELECTRONS.diagonalization",
        "ELECTRONS.electron_maxstep",
        "ELECTRONS.mixing_beta",
        "ELECTRONS.mixing_mode",
        "ELECTRONS.startingpot",
        "ELECTRONS.startingwfc",
        "SYSTEM.nbnd",
    )
)
# A walltime becomes `max_seconds`, and a further run of one frame restarts: nothing that anybody need hear of.
SILENT_KEYS = frozenset(("CONTROL.max_seconds", "CONTROL.restart_mode", "ELECTRONS.startingpot"))


class AtomSettings(Job):
    """Isolated atoms: spin-polarised, Γ only, without symmetry, hardly smeared."""

    starting_magnetization: float = Field(0.9, gt=0, le=1, description="share of the valence electrons that is spin up")
    degauss_ry: float = Field(0.002, gt=0, description="Gaussian smearing, Ry")
    bands: int = Field(8, ge=1, description="bands of each spin")


class QeSettings(Job):
    """One level of theory. What decides a label, and nothing else, enters the hash of the settings
    (:meth:`identity`)."""

    pseudo_family: str = Field(min_length=1, description="label of the aiida-pseudo family in this profile")
    species: list[str] = Field(
        min_length=1,
        description="every element of the study: their pseudopotentials are the level of theory, whichever a frame has",
    )
    ecutwfc_ry: float = Field(60.0, gt=0, description="cut-off of the plane waves, Ry; it decides the stress")
    ecutrho_ry: float = Field(240.0, gt=0, description="cut-off of the density, Ry; 4 times for norm-conserving ones")
    kmesh: list[KMeshRule] = Field(min_length=1, description="the first that fits a cell is taken")
    insulators: list[str] = Field(
        [],
        description="compositions with fixed occupations, as Li2S or Li6PS5Cl; cells of any other one are smeared, and "
        "may be metals",
    )
    smearing: Literal["mv", "mp", "gaussian", "fd"] = Field("mv", description="of all other cells")
    degauss_ry: float = Field(0.02, gt=0, description="its width, Ry")
    conv_thr_ry_per_atom: float = Field(1e-8, gt=0, description="SCF threshold of the energy, Ry an atom")
    electron_maxstep: int = Field(100, ge=1, description="SCF steps of a run")
    mixing_beta: float = Field(0.4, gt=0, le=1, description="mixing of the density")
    mixing_mode: Literal["plain", "TF", "local-TF"] = Field("plain", description="local-TF for slabs and interfaces")
    isolated_atom: AtomSettings = Field(AtomSettings(), description="of frames of type isolated_atom")
    max_runs: int = Field(5, ge=1, description="runs of pw.x for one frame, with what the handlers change")
    acceptance: AcceptanceSettings = Field(AcceptanceSettings(), description="what a label must fulfil")

    @field_validator("kmesh")
    @classmethod
    def _last_rule_fits_any(cls, rules: list[KMeshRule]) -> list[KMeshRule]:
        return check_last_rule(rules)

    @field_validator("species")
    @classmethod
    def _elements_exist(cls, species: list[str]) -> list[str]:
        if unknown := sorted(set(species) - set(chemical_symbols[1:])):
            raise ValueError(f"no elements: {', '.join(unknown)}")
        return sorted(set(species))

    @field_validator("insulators")
    @classmethod
    def _compositions_can_be_read(cls, insulators: list[str]) -> list[str]:
        return sorted({reduced(formula) for formula in insulators})

    @model_validator(mode="after")
    def _density_has_room(self) -> QeSettings:
        if self.ecutrho_ry < 4 * self.ecutwfc_ry:
            raise ValueError(
                f"ecutrho_ry {self.ecutrho_ry:g} cuts the density of plane waves up to {self.ecutwfc_ry:g} Ry: it "
                f"needs at least {4 * self.ecutwfc_ry:g}"
            )
        return self

    def mesh(self, symbols: Sequence[str], cell: Any, *, isolated: bool = False) -> Mesh:
        """Return the divisions of the Γ-centred mesh of a cell.

        It follows from the cell alone, never from its config type, so that one structure has one label.

        :param symbols: of its atoms.
        :param cell: ``(3, 3)`` Å.
        """
        if isolated:
            return 1, 1, 1
        return mesh_of_length(cell, next(rule for rule in self.kmesh if rule.fits(symbols)).length_ang)

    def parameters(self, symbols: Sequence[str], *, isolated: bool = False) -> Parameters:
        """Return the namelists of pw.x for a cell of these atoms, or for one isolated atom.

        Nothing is left to symmetry: how pw.x finds it hangs on tolerances, and a frame of MD has none.
        """
        system: dict[str, Any] = {"ecutwfc": self.ecutwfc_ry, "ecutrho": self.ecutrho_ry, "nosym": True}
        if isolated:
            atom = self.isolated_atom
            system |= {
                "occupations": "smearing",
                "smearing": "gaussian",
                "degauss": atom.degauss_ry,
                "nbnd": atom.bands,
                "nspin": 2,
                "starting_magnetization": {symbols[0]: atom.starting_magnetization},
            }
        elif reduced(list(symbols)) in self.insulators:
            # Without `occupations` the plugin looks for room above the last band, and runs every insulator twice
            # (aiida-quantumespresso 5.1.0, `sanity_check_insufficient_bands`).
            system["occupations"] = "fixed"
        else:
            system |= {"occupations": "smearing", "smearing": self.smearing, "degauss": self.degauss_ry}
        return {
            # `none` and `nowf` write no XML, and the plugin needs it.
            "CONTROL": {"calculation": "scf", "tprnfor": True, "tstress": not isolated, "disk_io": "low"},
            "SYSTEM": system,
            "ELECTRONS": {
                # AiiDA stores a float in 14 digits: what is asked must be what is found again.
                "conv_thr": float(f"{self.conv_thr_ry_per_atom * len(symbols):.10g}"),
                "electron_maxstep": self.electron_maxstep,
                "mixing_beta": self.mixing_beta,
                "mixing_mode": self.mixing_mode,
            },
        }

    def identity(self, version: str, pseudopotentials: Mapping[str, str]) -> dict[str, Any]:
        """Return all that decides a label.

        :param version: of pw.x, as it tells itself.
        :param pseudopotentials: md5 of the UPF file of each element of ``species``.
        """
        keys = ("ecutwfc_ry", "ecutrho_ry", "insulators", "smearing", "degauss_ry", "conv_thr_ry_per_atom")
        return {
            "engine": "seireact.label.qe",
            "program": "pw.x",
            "version": version,
            **self.model_dump(mode="json", include=set(keys)),
            "symmetry": False,
            "kmesh": [rule.model_dump(mode="json") for rule in self.kmesh],
            "isolated_atom": {"mesh": [1, 1, 1], "smearing": "gaussian", **self.isolated_atom.model_dump(mode="json")},
            "pseudopotentials": dict(sorted(pseudopotentials.items())),
        }


def reduced(formula: str | list[str]) -> str:
    """Return a composition by its smallest numbers, in the order of Hill: ``S4Li8`` and its atoms are ``Li2S``.

    :raises ValueError: it can't be read as a formula.
    """
    try:
        whole = Formula(formula) if isinstance(formula, str) else Formula.from_list(formula)
        return str(whole.reduce()[0].format("hill"))
    except Exception as error:
        raise ValueError(f"'{formula}' is no chemical formula") from error


def deviations(asked: Parameters, used: Mapping[str, Any]) -> dict[str, str]:
    """Return what final namelists have otherwise than asked, as one phrase a key ``NAMELIST.key``."""
    before, after = flat(asked), flat(used)
    return {
        key: f"{key} = {after.get(key, 'none')} (asked: {before.get(key, 'none')})"
        for key in sorted(set(before) | set(after))
        if before.get(key) != after.get(key)
    }


def flat(namelists: Mapping[str, Any]) -> dict[str, Any]:
    """Return namelists as ``NAMELIST.key``, value."""
    return {f"{name}.{key}": value for name, content in namelists.items() for key, value in content.items()}
