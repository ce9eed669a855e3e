"""What of an MD run doesn't go together: pair style and model, engine or types, groups and structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_seireact.calculations.native_lammps import is_embedded
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.formats.lammps_input import lammps_input
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.md_groups import ALL, members
from aiida_seireact.formats.md_outputs import PtmSettings
from aiida_seireact.formats.pair_styles import MODEL_FILES, POTENTIAL_KINDS


def validate_loadable(potential: PotentialData, _: Any) -> str | None:
    """Refuse what no pair style of LAMMPS loads."""
    if potential.kind not in POTENTIAL_KINDS.values():
        return f"LAMMPS loads compiled models; this is of kind {potential.kind}: compile it (`seireact.compile`)."
    if potential.kind != POTENTIAL_KINDS["allegro"] or (target := potential.card["target"]) == "pair_allegro":
        return None
    return f"This model was compiled for {target}: compile it for `pair_allegro`."


def validate_md(inputs: Mapping[str, Any]) -> str | None:
    """Refuse settings that don't fit model, engine or cell; the types of the cell are known to be of the model."""
    if "parameters" not in inputs:
        return None
    md = SegmentSettings.model_validate(inputs["parameters"].get_dict()).md
    return _refuse_pair(md, inputs) or _refuse_engine(md, inputs) or _refuse_types(md, inputs)


def validate_start_of(parameters: Any) -> str | None:
    """Refuse a safe start before a run that it can't prepare.

    :param parameters: of the run.
    """
    md = SegmentSettings.model_validate(parameters.get_dict()).md
    if md.fixed is not None:
        return f"A safe start moves all atoms, and md.fixed holds {md.fixed}: leave `start` or md.fixed out."
    if md.pair.kind != "allegro":
        return f"A safe start runs by seireact-lmp, which has no pair style {md.pair.kind}: leave `start` out."
    return None


def species_of_types(inputs: Mapping[str, Any], md: MdSettings) -> list[str]:
    """Return the element of each atom type, wherever the segment begins."""
    if "restart" in inputs:
        return list(inputs["restart"].species)
    if "structure" in inputs:
        present = inputs["structure"].base.attributes.get("species")
        return md.pair.types_of(inputs["potential"].species, present)
    return list(inputs["cell"]["report"]["species"])


def _refuse_pair(md: MdSettings, inputs: Mapping[str, Any]) -> str | None:
    kind, wanted = inputs["potential"].kind, POTENTIAL_KINDS[md.pair.kind]
    if kind == wanted:
        return None
    fitting = next((pair for pair, loads in POTENTIAL_KINDS.items() if loads == kind), None)
    other = f", or set md.pair.kind to {fitting}" if fitting else ""
    return (
        f"The pair style {md.pair.kind} loads a potential of kind {wanted}, this one is of kind {kind}: give another"
        f"{other}."
    )


def _refuse_engine(md: MdSettings, inputs: Mapping[str, Any]) -> str | None:
    if "code" not in inputs or not is_embedded(inputs["code"]):
        return None
    label = inputs["code"].full_label
    if md.pair.kind != "allegro":
        return (
            f"{label} is seireact-lmp, which runs `pair_style allegro` alone: for {md.pair.kind} give the code of a "
            "LAMMPS that was built with it, and seireact-lmp as `companion`."
        )
    if name := next((name for name, one in md.computes.items() if isinstance(one, PtmSettings)), None):
        return (
            f"{label} is seireact-lmp, whose LAMMPS has no package PTM, so md.computes.{name} can't run: give the code "
            "of a LAMMPS that has it, or classify after the run (`seireact.classify`)."
        )
    return None


def _refuse_types(md: MdSettings, inputs: Mapping[str, Any]) -> str | None:
    species = species_of_types(inputs, md)
    known = list(inputs["potential"].species)
    if md.pair.kind in ("flare", "user") and species != known:
        return (
            f"The pair style {md.pair.kind} takes atom types as its file counts them, {', '.join(known)}, but the "
            f"types of the cell are {', '.join(species)}: build it with `species` in that order."
        )
    try:
        lammps_input(md, species=species, model=MODEL_FILES[md.pair.kind])
    except ValueError as error:
        return str(error)
    if "structure" not in inputs:
        return None
    return refuse_empty_groups(md, inputs["structure"])


def refuse_empty_groups(md: MdSettings, structure: FramesData) -> str | None:
    """Return which group of a structure holds no atom, or that all are held still; None if all is well."""
    atoms = structure.to_ase()
    for name in dict.fromkeys([*md.groups, *md.groups_used]):
        n_members = len(atoms) if name == ALL else int(members(name, md.groups, md.regions, atoms).sum())
        if not n_members:
            return f"The group {name} of md.groups holds no atom of this structure: mend its region, ids or species."
        if name == md.fixed and n_members == len(atoms):
            return f"md.fixed holds {name}, which is all atoms of this structure, so nothing would move."
    return None
