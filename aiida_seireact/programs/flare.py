"""``seireact-flare``: one leg of on-the-fly learning: learn the labels asked for, run MD until unsure again."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import MissingPackage
from aiida_seireact.formats.jobs.flare import FlareJob
from aiida_seireact.formats.leg_state import NOTHING_ASKED, LegState, state_of
from aiida_seireact.formats.sgp import save_gp
from aiida_seireact.programs._canary import measure, save_arrays
from aiida_seireact.programs._leg_input import Known, read_input
from aiida_seireact.programs._leg_lammps import check_lammps, check_start, run_lammps_leg
from aiida_seireact.programs._leg_learn import DYNAMICS, Learned, count_learnings, generator, learn
from aiida_seireact.programs._leg_md import displaced, run_leg
from aiida_seireact.programs._leg_watch import CellState, LegRun, Snapshot
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator
from aiida_seireact.science.thresholds import judge_threshold

EXAMPLE = """
  {
    "settings": {"temperature_k": 300, "ensemble": "npt", "steps": 300, "call_threshold": 0.15,
                 "learn_threshold": 0.03, "gp": {"cutoff_ang": 5, "n_max": 6, "l_max": 2}},
    "labels": ["round_000.npz", "round_001.npz"],
    "start": "start.npz",
    "gp": "sgp.npz",
    "state": "state.npz"
  }
"""


def run(job: FlareJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Learn the labels asked for and run MD with the sparse GP of FLARE until it is unsure or the steps are done.

    The first leg learns all its labels. A later one learns the label of the frame that stopped the last leg
    and only measures itself on the others. Writes sgp.npz, state.npz, trace.npz and canary.npz, and, where
    there are any, asked.npz (frames to label) and visited.npz (the trajectory).

    :raises InvalidInput: labels that are not whole, of two levels of theory or of other species; a GP or state that
        is torn or belongs elsewhere; a label asked for that is missing.
    :raises MissingPackage: FLARE, torch or matscipy is not installed.
    :raises TooLittleMemory: what is to be learned will not fit.
    """
    began = time.monotonic()
    _prepare(job.threads)
    known = read_input(job, folder)
    if job.lammps is not None:
        check_start(job.settings, known.start)
        check_lammps(job.lammps)
    for name in (files.ASKED, files.VISITED):
        (folder / name).unlink(missing_ok=True)

    unlearned = known.new_ids if known.gp else []
    before = SparseGPCalculator(known.gp) if known.gp else None
    rows, per_atom = measure(before, [known.images[frame_id] for frame_id in unlearned])
    gp, learned = learn(job, known, progress)
    for row, frame_id in zip(rows, unlearned, strict=True):
        row.update(frame_id=frame_id, learned=frame_id in learned.frame_ids)

    state = known.state
    rng = _dynamics(job, known)
    learned_step = state.learned_step if state and not learned.frame_ids else _first_step(known)
    atoms, ended = _md(job, folder, known, gp, rng, learned, learned_step, began, progress)

    number = state.leg + 1 if state else 1
    learnings = count_learnings(known, learned)
    detours = job.detour + (state.detours if state else 0)
    # Named by what was learned, not by the legs it is cut into: a pause changes no frame and no group.
    part = f"leg{learnings:03d}" + (f"-d{detours}" if detours else "")
    group = f"flare/{known.start_id[:12]}-s{job.settings.seed}-{job.settings.content_hash[:8]}/{part}"
    at_once = _unsure_at_once(known, ended, learned_step)
    health = judge_threshold(
        ended.trace["max_std"],
        ended.trace["mean_std"],
        job.settings.call_threshold,
        unsure_at_once=at_once,
        steps_since_learning=ended.step - learned_step,
    )
    if health.message:
        progress(health.message)
    origin = {
        "config_type": str(known.start.info.get("config_type", "")),
        "group": group,
        "parent_id": known.start_id,
    }
    save_gp(folder / files.SGP, gp)
    asked = _save_frames(folder / files.ASKED, ended.asked, origin)
    visited = _save_frames(folder / files.VISITED, ended.visited, origin)
    save_arrays(folder / files.TRACE, ended.trace)
    save_arrays(folder / files.CANARY, per_atom)
    asked_step = ended.step if ended.status == "unsure" else None
    LegState(
        leg=number,
        step=ended.step,
        asked_step=NOTHING_ASKED if asked_step is None else asked_step,
        learnings=learnings,
        learned_step=learned_step,
        at_once=at_once,
        detours=detours,
        numbers=np.asarray(atoms.numbers, dtype=np.int64),
        positions=atoms.positions,
        momenta=atoms.get_momenta(),
        cell=atoms.cell.array,
        pbc=np.asarray(atoms.pbc, dtype=bool),
        cell_momentum=ended.cell.momentum,
        cell_force=ended.cell.force,
        rng=state_of(rng),
        species=known.species,
        start_id=known.start_id,
        settings_hash=job.settings.content_hash,
        gp_hash=gp.content_hash,
        seen_ids=tuple(known.images),
    ).save(folder / files.STATE)
    return {
        "files": {
            "gp": files.SGP,
            "state": files.STATE,
            "trace": files.TRACE,
            "canary": files.CANARY,
            "asked": asked,
            "visited": visited,
        },
        "status": ended.status,
        "message": ended.message,
        "leg": number,
        "group": group,
        "first_step": ended.first_step,
        "step": ended.step,
        "leg_steps": ended.step - ended.first_step,
        "asked_step": asked_step,
        "n_asked": len(ended.asked),
        "n_visited": len(ended.visited),
        "went_on_unsure": ended.went_on_unsure,
        "detour": job.detour,
        "learnings": learnings,
        "threshold": health.verdict,
        "threshold_message": health.message,
        "threshold_suggested": health.suggested,
        "n_frames_learned": len(gp.frame_ids),
        "n_frames_added": len(learned.frame_ids),
        "n_sparse": gp.n_sparse,
        "n_sparse_added": gp.n_sparse - (known.gp.n_sparse if known.gp else 0),
        "optimised": learned.optimised,
        "sigma": gp.sigma,
        "noises": list(gp.noises),
        "canary": rows,
        "species": list(gp.species),
        "energies_ev": dict(zip(gp.species, gp.energies_ev.tolist(), strict=True)),
        "settings_hash": known.level,
        "gp_hash": gp.content_hash,
    }


def _prepare(threads: int) -> None:
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    try:
        import matscipy.neighbours
        import torch
    except ImportError as error:
        raise MissingPackage(
            f"Learning needs torch and matscipy ({error}): pip install 'aiida-seireact[flare]'."
        ) from error
    assert matscipy.neighbours
    torch.set_num_threads(threads)


def _dynamics(job: FlareJob, known: Known) -> np.random.Generator:
    """Return the random numbers of this leg: those the last one left, or, on a detour, others."""
    if known.state is None:
        return generator(job.settings, known, DYNAMICS, *([job.detour] if job.detour else []))
    if not job.detour:
        return known.state.generator()
    left = int.from_bytes(hashlib.sha256(known.state.rng.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([left, job.detour])))


def _first_step(known: Known) -> int:
    """Return the MD step at which this leg begins."""
    return known.state.step if known.state else 0


def _unsure_at_once(known: Known, ended: LegRun, learned_step: int) -> int:
    """Return after how many learnings in a row the run was unsure at the frame learned or the next one."""
    before = known.state.at_once if known.state else 0
    if ended.step - learned_step > 1:
        return 0
    return before + 1 if ended.status == "unsure" else before


def _md(
    job: FlareJob,
    folder: Path,
    known: Known,
    gp: SparseGP,
    rng: np.random.Generator,
    learned: Learned,
    learned_step: int,
    began: float,
    progress: Progress,
) -> tuple[Atoms, LegRun]:
    """Run the MD of this leg; return the atoms as it left them and what it gave."""
    state = known.state
    cell = None
    if state is None:
        atoms = displaced(known.start, job.settings, rng)
    else:
        atoms = Atoms(numbers=state.numbers, positions=state.positions, cell=state.cell, pbc=state.pbc)
        atoms.set_momenta(state.momenta)
        cell = CellState(state.cell_momentum, state.cell_force)
    begin = time.perf_counter()
    where: dict[str, Any] = {
        "reference_volume_ang3": known.start.get_volume(),
        "first_step": _first_step(known),
        "learned_step": learned_step,
        "resumed": state is not None,
        "just_learned": state is not None and bool(learned.frame_ids),
        "progress": progress,
    }
    if job.lammps is not None:
        from aiida_seireact.programs._flare_gp import FlareGP

        FlareGP.rebuild(gp, job.settings.gp, known.images).write_lammps(folder)
        energies_ev = dict(zip(gp.species, gp.energies_ev.tolist(), strict=True))
        ended = run_lammps_leg(atoms, energies_ev, job.settings, rng, job.lammps, folder, **where)
    else:
        same_forces = state is not None and state.gp_hash == gp.content_hash
        ended = run_leg(
            atoms,
            SparseGPCalculator(gp),
            job.settings,
            rng,
            cell=cell,
            same_forces=same_forces,
            # A job that learns for an hour has an hour less for MD before its walltime.
            began=began,
            **where,
        )
    progress(f"{ended.step - ended.first_step} MD steps in {time.perf_counter() - begin:.1f} s")
    return atoms, ended


def _save_frames(path: Path, snapshots: list[Snapshot], origin: dict[str, str]) -> str | None:
    """Write frames with where they come from; return the name of the file, None when there are none."""
    if not snapshots:
        return None
    for snapshot in snapshots:
        snapshot.atoms.info.update(origin, md_step=snapshot.step)
    Frames.from_atoms([snapshot.atoms for snapshot in snapshots], labels="ignore").save(path)
    return path.name


main = program(
    "seireact-flare",
    FlareJob,
    run,
    packages=("mir-flare", "torch", "matscipy", "scipy", "ase", "numpy"),
    example=EXAMPLE,
)

if __name__ == "__main__":
    main()
