"""``seireact-sample``: the frames of a plan, those worth a label chosen, and what they cover."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.sample import LEAST_OF_A_TYPE, SampleJob, SamplePlan
from aiida_seireact.programs._draw import Cells, Pool, draw_pool, species_of
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.science.coverage import Described, coverage_of, principal_map
from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, mean_descriptors
from aiida_seireact.science.sampling.kinds import OF_STUDY
from aiida_seireact.science.selection import equally_weighted, share_budget, uncertain_and_different

PROGRESS_EVERY = 50

EXAMPLE = """
  {
    "plan": {
      "seed": 1,
      "classes": [
        {"kind": "bulk", "of": "Li2S", "count": 16},
        {"kind": "surface", "of": "Li", "count": 9},
        {"kind": "amorphous", "composition": "Li3PS4", "density_g_per_cm3": [1.6, 1.9]}
      ],
      "budget": 24
    },
    "labeller": "chgnet"
  }
"""


def run(job: SampleJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Draw the frames of a plan, choose those unlike each other within its budget, and tell what they cover.

    Writes sampled.npz (the frames chosen), isolated_atoms.npz where there are any, and selection.npz (a row for every
    frame of the pool: class, phase, kind, temperature, whether it was chosen, its place on the map of descriptors).
    """
    if importlib.util.find_spec("matscipy") is None:
        raise MissingPackage("matscipy is not installed, coverage needs it: pip install 'aiida-seireact[select]'.")
    cells = Cells.of(None if job.cells is None else Frames.load(folder / job.cells))
    made = {name: [Frames.load(folder / file) for file in paths] for name, paths in sorted(job.made.items())}
    pool = draw_pool(job.plan, cells, made=made, labeller=job.labeller)
    if not pool.frames:
        raise InvalidInput(" ".join(["The plan gives no frame.", *pool.left_out]))
    progress(f"{len(pool.frames)} frames drawn" + f", {len(pool.atoms)} isolated atoms" * bool(pool.atoms))
    frames = Frames.from_atoms([drawn.atoms for drawn in pool.frames], labels="ignore")
    frames.validate()
    species = sorted(set(species_of(job.plan, cells)) | set(frames.species))
    features = features_of(frames, species, job.plan, progress)
    chosen = choose(frames, pool, features, job.plan)
    described = describe(frames, pool)
    places, parts = principal_map(features)
    selected = frames.select(np.flatnonzero(chosen))
    selected.save(folder / files.SAMPLED)
    written = {"frames": files.SAMPLED, "selection": files.SELECTION}
    if pool.atoms:
        Frames.from_atoms(pool.atoms).save(folder / files.ISOLATED_ATOMS)
        written["atoms"] = files.ISOLATED_ATOMS
    rows = {
        "frame_ids": np.array(frames.frame_ids),
        "config_type": frames.config_type,
        "frame_class": described.frame_class,
        "phase": described.phase,
        "kind": described.kind,
        "temperature_k": described.temperature_k,
        "n_atoms": frames.n_atoms,
        "chosen": chosen,
        "map": places,
    }
    with write_atomically(folder / files.SELECTION) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **rows)
    coverage = coverage_of(
        _rows_of(described, chosen), species=species, phases=_phases(job.plan), left_out=pool.left_out
    )
    coverage["atoms"] = [str(atoms.symbols[0]) for atoms in pool.atoms]
    if pool.atoms:
        coverage["classes"]["atom"] = {"frames": len(pool.atoms), "environments": len(pool.atoms),
                                       "environments_by_species": dict.fromkeys(coverage["atoms"], 1)}  # fmt: skip
        coverage["missing"] = [line for line in coverage["missing"] if line != "No frame is an isolated atom."]
    coverage["map_variance"] = parts
    progress(f"{int(chosen.sum())} frames chosen; {len(coverage['missing'])} things are missing")
    return {"files": written, "coverage": coverage, "choice": _told(frames, pool, chosen, job.plan)}


def features_of(frames: Frames, species: list[str], plan: SamplePlan, progress: Progress) -> NDArray[np.float64]:
    """Return the features by which frames are compared, ``(n_frames, n_features)``: B2 averaged over each species.

    :raises InvalidInput: a frame that has no descriptors.
    """
    spec = DescriptorSpec(species=tuple(species), centre=species[0], **plan.difference.model_dump())
    means = []
    for index, atoms in enumerate(frames.iter_atoms()):
        try:
            means.append(mean_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec))
        except DescriptorError as error:
            raise InvalidInput(f"Frame {index} ({frames.config_type[index]}): {error}") from error
        if (index + 1) % PROGRESS_EVERY == 0:
            progress(f"{index + 1} of {len(frames)} frames described")
    return equally_weighted(np.array(means))


def choose(frames: Frames, pool: Pool, features: NDArray[np.float64], plan: SamplePlan) -> NDArray[np.bool_]:
    """Return which frames are labelled, ``(n_frames,)``: of each config type its share of the budget, and in it those
    farthest from each other and from all chosen before."""
    chosen = np.ones(len(frames), dtype=bool)
    if plan.budget is None or plan.budget >= len(frames):
        return chosen
    types = list(dict.fromkeys(frames.config_type.tolist()))
    counts = {name: int((frames.config_type == name).sum()) for name in types}
    class_of = {str(drawn.atoms.info["config_type"]): drawn.frame_class for drawn in pool.frames}
    weights = {name: plan.shares.get(class_of[name], 1.0) for name in types}
    quota = share_budget(plan.budget, counts, weights, least=LEAST_OF_A_TYPE)
    chosen[:] = False
    for name in types:
        places = np.flatnonzero(frames.config_type == name)
        best = uncertain_and_different(
            np.zeros(len(places)),
            features[places],
            quota[name],
            shortlist=float(len(places)),
            taken=features[chosen],
        )
        chosen[places[best]] = True
    return chosen


def describe(frames: Frames, pool: Pool) -> Described:
    """Return the frames of a pool in columns, with what its plan says of each."""
    return Described(
        numbers=frames.numbers,
        positions=frames.positions,
        offsets=frames.offsets,
        cells=frames.cells,
        pbc=frames.pbc,
        config_type=frames.config_type,
        frame_class=np.array([drawn.frame_class for drawn in pool.frames]),
        phase=np.array([drawn.phase for drawn in pool.frames]),
        kind=np.array([drawn.kind for drawn in pool.frames]),
        temperature_k=np.array([drawn.temperature_k for drawn in pool.frames]),
    )


def _rows_of(described: Described, chosen: NDArray[np.bool_]) -> Described:
    rows = np.repeat(chosen, described.n_atoms)
    return Described(
        numbers=described.numbers[rows],
        positions=described.positions[rows],
        offsets=np.concatenate([[0], np.cumsum(described.n_atoms[chosen])]).astype(np.int64),
        **{
            name: getattr(described, name)[chosen]
            for name in ("cells", "pbc", "config_type", "frame_class", "phase", "kind", "temperature_k")
        },
    )


def _phases(plan: SamplePlan) -> list[str]:
    """Return the phases a plan names, those of its study too."""
    of_study = {} if plan.study is None else plan.study_plan().draws
    return list(dict.fromkeys([*(OF_STUDY[name][1] for name, draw in of_study.items() if draw.count), *plan.phases]))


def _told(frames: Frames, pool: Pool, chosen: NDArray[np.bool_], plan: SamplePlan) -> dict[str, Any]:
    types = sorted(set(frames.config_type.tolist()))
    return {
        "n_pool": len(frames),
        "n_chosen": int(chosen.sum()),
        "budget": plan.budget,
        "criterion": (
            "all" if plan.budget is None or plan.budget >= len(frames)
            else "of each config type its share of the budget; in it those unlike each other and those chosen before, "
            "by B2 averaged over the atoms of each species"
        ),
        "config_types": {
            name: {
                "pool": int((frames.config_type == name).sum()),
                "chosen": int((chosen & (frames.config_type == name)).sum()),
            }
            for name in types
        },
        "classes": {
            str(drawn.atoms.info["config_type"]): drawn.frame_class for drawn in pool.frames
        },
        "left_out": pool.left_out,
    }  # fmt: skip


main = program("seireact-sample", SampleJob, run, packages=("ase", "matscipy", "numpy", "pymatgen", "scipy"),
               example=EXAMPLE)  # fmt: skip
