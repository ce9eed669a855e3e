"""What a leg of ``seireact-flare`` learns, and of which environments."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.flare import FlareJob, LegSettings
from aiida_seireact.programs._leg_input import Known, asked_label
from aiida_seireact.programs._memory import require_memory
from aiida_seireact.programs._program import Progress
from aiida_seireact.science.reference_energies import fit_reference_energies
from aiida_seireact.science.sparse_gp import SparseGP

# Streams of random numbers drawn from one seed: which environments to learn first, and the dynamics.
ENVIRONMENTS, DYNAMICS = 0, 1


@dataclass(frozen=True)
class Learned:
    """What learning did in this leg."""

    frame_ids: tuple[str, ...] = ()
    optimised: bool = False


def learn(job: FlareJob, known: Known, progress: Progress) -> tuple[SparseGP, Learned]:
    """Return the GP that drives this leg.

    :raises InvalidInput: a label that was asked for is missing, or cannot be learned.
    :raises TooLittleMemory: what is to be learned will not fit.
    """
    if known.gp is None:
        return _first_gp(job, known, progress)
    asked_id = asked_label(job, known)
    if asked_id is None:
        return known.gp, Learned()
    from aiida_seireact.programs._flare_gp import FlareGP

    before = {name: known.images[name] for name in known.gp.frame_ids}
    images = [*before.values(), known.images[asked_id]]
    require_memory(job.settings, images, len(known.species), known.gp.n_sparse, 1)
    begin = time.perf_counter()
    trained = FlareGP.rebuild(known.gp, job.settings.gp, before)
    progress(f"rebuilt the GP of {len(known.gp.frame_ids)} frames in {time.perf_counter() - begin:.1f} s")
    return _learn_all(job, known, trained, [asked_id], progress)


def _first_gp(job: FlareJob, known: Known, progress: Progress) -> tuple[SparseGP, Learned]:
    from aiida_seireact.programs._flare_gp import FlareGP

    energies_ev = energies_of(job, known)
    require_memory(job.settings, list(known.images.values()), len(known.species), 0, len(known.images))
    trained = FlareGP(job.settings.gp, known.species, energies_ev)
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
    optimised = count_learnings(known, Learned(tuple(frame_ids))) in job.settings.gp.optimise_at
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
    rng = generator(settings, known, ENVIRONMENTS)
    count = min(settings.gp.first_atoms, len(image))
    return sorted(int(atom) for atom in rng.choice(len(image), count, replace=False))


def count_learnings(known: Known, learned: Learned) -> int:
    """Return how many times labels were learned, this leg included."""
    return (known.state.learnings if known.state else 0) + bool(learned.frame_ids)


def energies_of(job: FlareJob, known: Known) -> dict[str, float]:
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


def generator(settings: LegSettings, known: Known, *stream: int) -> np.random.Generator:
    """Return random numbers seeded by what is run, not by its place or name."""
    identity = int(known.start_id[:16], 16)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([settings.seed, identity, *stream])))
