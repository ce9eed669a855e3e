"""``seireact-flare``: one leg of on-the-fly learning: learn the labels asked for, run MD until unsure again."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.flare import FlareJob, LegSettings
from aiida_seireact.formats.leg_state import NOTHING_ASKED, LegState, LegStateError, state_of
from aiida_seireact.formats.sgp import SgpError, load_gp, save_gp
from aiida_seireact.programs._canary import measure, save_arrays
from aiida_seireact.programs._leg_md import CellState, LegRun, Snapshot, displaced, run_leg
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.science.reference_energies import fit_reference_energies
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator
from aiida_seireact.science.thresholds import judge_threshold

# Streams of random numbers drawn from one seed: which environments to learn first, and the dynamics.
ENVIRONMENTS, DYNAMICS = 0, 1
SAME_PLACE_ANG = 1e-5

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


@dataclass(frozen=True, eq=False)
class Known:
    """All labels in their order, one entry for each frame id, and what the last leg left.

    :param images: frame id -> labelled atoms.
    :param start: the start of the condition.
    :param level: hash of the labelling settings.
    """

    images: dict[str, Atoms]
    start: Atoms
    start_id: str
    species: tuple[str, ...]
    level: str
    gp: SparseGP | None
    state: LegState | None

    @property
    def new_ids(self) -> list[str]:
        """Frame ids of the labels that no leg has met."""
        seen = set(self.state.seen_ids) if self.state else set()
        return [frame_id for frame_id in self.images if frame_id not in seen]


@dataclass(frozen=True)
class Learned:
    """What learning did in this leg."""

    frame_ids: tuple[str, ...] = ()
    optimised: bool = False


def run(job: FlareJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Learn the labels asked for and run MD with the sparse GP of FLARE until it is unsure or the steps are done.

    The first leg learns all its labels. A later one learns the label of the frame that stopped the last leg
    and only measures itself on the others. Writes sgp.npz, state.npz, trace.npz and canary.npz, and, where
    there are any, asked.npz (frames to label) and visited.npz (the trajectory).

    :raises InvalidInput: labels that are not whole, of two levels of theory or of other species; a GP or state that
        is torn or belongs elsewhere; a label asked for that is missing.
    :raises MissingPackage: FLARE, torch or matscipy is not installed.
    """
    _prepare(job.threads)
    known = _read(job, folder)
    for name in (files.ASKED, files.VISITED):
        (folder / name).unlink(missing_ok=True)

    unlearned = known.new_ids if known.gp else []
    before = SparseGPCalculator(known.gp) if known.gp else None
    rows, per_atom = measure(before, [known.images[frame_id] for frame_id in unlearned])
    gp, learned = _learn(job, known, progress)
    for row, frame_id in zip(rows, unlearned, strict=True):
        row.update(frame_id=frame_id, learned=frame_id in learned.frame_ids)

    state = known.state
    rng = _dynamics(job, known)
    learned_step = state.learned_step if state and not learned.frame_ids else _first_step(known)
    atoms, ended = _md(job, known, gp, rng, learned, learned_step, progress)

    number = state.leg + 1 if state else 1
    learnings = _learnings(known, learned)
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


# ---------------------------------------------------------------- input
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


def _read(job: FlareJob, folder: Path) -> Known:
    """Read and check everything, before anything is computed."""
    start = Frames.load(folder / job.start)
    if len(start) != 1:
        raise InvalidInput(f"A condition starts from one frame, but {job.start} holds {len(start)}: select one.")
    start.validate()
    species = tuple(start.species)
    labels = {name: _labels(folder, name, species) for name in job.labels}
    levels = {frames.settings_hash: name for name, frames in labels.items()}
    if len(levels) > 1:
        named = " and ".join(f"{name} ({level[:12] or 'unknown'})" for level, name in levels.items())
        raise InvalidInput(
            f"The labels of {named} were made with different settings: a GP learns one level of theory, label them "
            "alike."
        )
    images: dict[str, Atoms] = {}
    for frames in labels.values():
        for index, frame_id in enumerate(frames.frame_ids):
            images.setdefault(frame_id, frames.to_atoms(index))
    level = next(iter(levels))
    gp = state = None
    if job.gp is not None and job.state is not None:
        try:
            gp, state = load_gp(folder / job.gp), LegState.load(folder / job.state)
        except (SgpError, LegStateError) as error:
            raise InvalidInput(str(error)) from error
    known = Known(images, start.to_atoms(0), start.frame_ids[0], species, level, gp, state)
    if gp is not None and state is not None:
        _require_one_run(job, known, gp, state)
    return known


def _labels(folder: Path, name: str, species: Sequence[str]) -> Frames:
    frames = Frames.load(folder / name)
    if not frames.has_stress:
        raise InvalidInput(f"The frames of {name} have no energy, forces and stress: label them first.")
    foreign = [symbol for symbol in frames.species if symbol not in species]
    if foreign:
        raise InvalidInput(
            f"The labels of {name} hold {', '.join(foreign)}, but the start has only {', '.join(species)}: leave such "
            "frames out, their environments do not occur in this run."
        )
    frames.validate()
    return frames


def _require_one_run(job: FlareJob, known: Known, gp: SparseGP, state: LegState) -> None:
    """Refuse a GP and a state that do not belong to each other, to the start, the settings and the labels.

    :raises InvalidInput: the first thing that does not fit.
    """
    for owner, species in ((f"The state {job.state}", state.species), (f"The GP {job.gp}", gp.species)):
        if species != known.species:
            raise InvalidInput(
                f"{owner} is of {', '.join(species)}, but the start {job.start} of {', '.join(known.species)}: "
                "give those of this system, or neither of the two to begin anew."
            )
    if state.start_id != known.start_id or not np.array_equal(state.numbers, known.start.numbers):
        raise InvalidInput(
            f"The state {job.state} belongs to a run from the frame {state.start_id[:12]}, but {job.start} is "
            f"{known.start_id[:12]}: give the start of that run, or neither gp nor state to begin anew."
        )
    if state.settings_hash != job.settings.content_hash:
        raise InvalidInput(
            f"The state {job.state} was written under other settings: only `steps`, `leg_steps` and `seconds_max` may "
            "change within a run. Keep the settings, or give neither gp nor state to begin anew."
        )
    if state.gp_hash != gp.content_hash:
        raise InvalidInput(
            f"The GP {job.gp} is not the one that the run of {job.state} ended with: give the two files of one leg."
        )
    if gp.settings_hash != known.level:
        raise InvalidInput(
            f"The GP {job.gp} learned labels of the settings {gp.settings_hash[:12] or 'unknown'}, but these are of "
            f"{known.level[:12] or 'unknown'}: label with the same settings, or begin anew."
        )
    lost = [frame_id[:12] for frame_id in gp.frame_ids if frame_id not in known.images]
    if lost:
        raise InvalidInput(
            f"{len(lost)} frames that the GP learned are not among the labels (first {lost[0]}): give the labels of "
            "all rounds, in order."
        )
    if job.energies_ev is not None:
        for symbol, energy in zip(gp.species, gp.energies_ev.tolist(), strict=True):
            if abs(job.energies_ev.get(symbol, np.inf) - energy) > 1e-9:
                raise InvalidInput(
                    f"energies_ev has {job.energies_ev.get(symbol)} eV for {symbol}, but the GP learned with "
                    f"{energy} eV: they stay the same through all legs."
                )


# ---------------------------------------------------------------- learning
def _learn(job: FlareJob, known: Known, progress: Progress) -> tuple[SparseGP, Learned]:
    """Return the GP that drives this leg."""
    if known.gp is None:
        return _first_gp(job, known, progress)
    asked_id = _asked_label(job, known)
    if asked_id is None:
        return known.gp, Learned()
    from aiida_seireact.programs._flare_gp import FlareGP

    begin = time.perf_counter()
    trained = FlareGP.rebuild(known.gp, job.settings.gp, {name: known.images[name] for name in known.gp.frame_ids})
    progress(f"rebuilt the GP of {len(known.gp.frame_ids)} frames in {time.perf_counter() - begin:.1f} s")
    return _learn_all(job, known, trained, [asked_id], progress)


def _first_gp(job: FlareJob, known: Known, progress: Progress) -> tuple[SparseGP, Learned]:
    from aiida_seireact.programs._flare_gp import FlareGP

    trained = FlareGP(job.settings.gp, known.species, _energies(job, known))
    return _learn_all(job, known, trained, list(known.images), progress)


def _learn_all(
    job: FlareJob, known: Known, trained: Any, frame_ids: list[str], progress: Progress
) -> tuple[SparseGP, Learned]:
    """Learn these frames and fit the hyperparameters where this round is one to do so."""
    begin = time.perf_counter()
    for number, frame_id in enumerate(frame_ids):
        image = known.images[frame_id]
        if known.gp is None and number == 0:
            chosen = _first_environments(job.settings, known, image)
        else:
            chosen = unknown_environments(trained.standard_deviations(image), job.settings.learn_threshold)
        trained.learn(image, frame_id, chosen)
    optimised = _learnings(known, Learned(tuple(frame_ids))) in job.settings.gp.optimise_at
    if optimised:
        trained.optimise()
    gp: SparseGP = trained.export(known.level)
    progress(
        f"learned {len(frame_ids)} frames{' and fitted sigma and noises' if optimised else ''} in "
        f"{time.perf_counter() - begin:.1f} s: {gp.n_sparse} environments"
    )
    return gp, Learned(tuple(frame_ids), optimised)


def unknown_environments(stds: NDArray[np.float64], threshold: float) -> list[int]:
    """Return the atoms above the threshold, or the least known one: a label is never without effect.

    :param stds: ``(n_atoms,)``
    """
    above = np.flatnonzero(stds > threshold)
    return [int(atom) for atom in above] if len(above) else [int(np.argmax(stds))]


def _first_environments(settings: LegSettings, known: Known, image: Atoms) -> list[int]:
    rng = _generator(settings, known, ENVIRONMENTS)
    count = min(settings.gp.first_atoms, len(image))
    return sorted(int(atom) for atom in rng.choice(len(image), count, replace=False))


def _asked_label(job: FlareJob, known: Known) -> str | None:
    """Return the frame id of the label that the last leg asked for, None if it asked for none.

    :raises InvalidInput: it is not among the new labels.
    """
    state = known.state
    if state is None or state.asked_step == NOTHING_ASKED:
        return None
    for frame_id in known.new_ids:
        image = known.images[frame_id]
        if (
            image.info.get("md_step") == state.asked_step
            and image.info.get("parent_id") == known.start_id
            and np.array_equal(image.numbers, state.numbers)
            # Conditions that differ in seed or temperature share start and step, but not the structure.
            and np.allclose(image.positions, state.positions, rtol=0, atol=SAME_PLACE_ANG)
        ):
            return frame_id
    raise InvalidInput(
        f"The label of the frame at MD step {state.asked_step} is missing, and the last leg ended there because it "
        f"needs it: label the last frame of its {files.ASKED} and add the file to labels."
    )


def _energies(job: FlareJob, known: Known) -> dict[str, float]:
    """Return the energy of an atom of each species, given or fitted to the labels.

    :raises InvalidInput: a species has none.
    """
    if job.energies_ev is not None:
        missing = [symbol for symbol in known.species if symbol not in job.energies_ev]
        if missing:
            raise InvalidInput(f"energies_ev has no {', '.join(missing)}: give one for each species of the start.")
        return {symbol: job.energies_ev[symbol] for symbol in known.species}
    symbols = [image.get_chemical_symbols() for image in known.images.values()]
    counts = np.array([[names.count(symbol) for symbol in known.species] for names in symbols], dtype=np.int64)
    absent = [symbol for symbol, total in zip(known.species, counts.sum(axis=0), strict=True) if not total]
    if absent:
        raise InvalidInput(
            f"No label holds {', '.join(absent)}, which the start has: add labelled frames with all its species, or "
            "give energies_ev."
        )
    energies = np.array([image.get_potential_energy() for image in known.images.values()])
    solution, _ = fit_reference_energies(counts, energies)
    return dict(zip(known.species, solution.tolist(), strict=True))


# ---------------------------------------------------------------- dynamics
def _generator(settings: LegSettings, known: Known, *stream: int) -> np.random.Generator:
    """Return random numbers seeded by what is run, not by its place or name."""
    identity = int(known.start_id[:16], 16)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([settings.seed, identity, *stream])))


def _dynamics(job: FlareJob, known: Known) -> np.random.Generator:
    """Return the random numbers of this leg: those the last one left, or, on a detour, others."""
    if known.state is None:
        return _generator(job.settings, known, DYNAMICS, *([job.detour] if job.detour else []))
    if not job.detour:
        return known.state.generator()
    left = int.from_bytes(hashlib.sha256(known.state.rng.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([left, job.detour])))


def _first_step(known: Known) -> int:
    """Return the MD step at which this leg begins."""
    return known.state.step if known.state else 0


def _learnings(known: Known, learned: Learned) -> int:
    """Return how many times labels were learned, this leg included."""
    return (known.state.learnings if known.state else 0) + bool(learned.frame_ids)


def _unsure_at_once(known: Known, ended: LegRun, learned_step: int) -> int:
    """Return after how many learnings in a row the run was unsure at the frame learned or the next one."""
    before = known.state.at_once if known.state else 0
    if ended.step - learned_step > 1:
        return 0
    return before + 1 if ended.status == "unsure" else before


def _md(
    job: FlareJob,
    known: Known,
    gp: SparseGP,
    rng: np.random.Generator,
    learned: Learned,
    learned_step: int,
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
    ended = run_leg(
        atoms,
        SparseGPCalculator(gp),
        job.settings,
        rng,
        reference_volume_ang3=known.start.get_volume(),
        first_step=_first_step(known),
        learned_step=learned_step,
        resumed=state is not None,
        cell=cell,
        same_forces=state is not None and state.gp_hash == gp.content_hash,
        just_learned=state is not None and bool(learned.frame_ids),
        progress=progress,
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
