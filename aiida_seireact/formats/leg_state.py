"""Where a leg of learning ended (``state.npz``): all that the next one needs to go on as if it had never stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically

FloatArray = NDArray[np.float64]
GENERATOR = "PCG64"
NOTHING_ASKED = -1


class LegStateError(ValueError):
    """A file that is no whole state of a leg; the message says which and why."""


@dataclass(frozen=True, eq=False)
class LegState:
    """State of the dynamics in full precision, and what it belongs to.

    :param leg: legs so far.
    :param step: MD steps so far.
    :param asked_step: MD step whose label the next leg must bring, `NOTHING_ASKED` for none.
    :param learnings: how many times labels were learned, the first ones included.
    :param learned_step: MD step of the last of them.
    :param at_once: in how many learnings in a row the run was unsure again at once, see `science.thresholds`.
    :param detours: how many times the run came back to a state of before, for want of a label.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param positions: ``(n_atoms, 3)`` in Å, not wrapped into the cell.
    :param momenta: ``(n_atoms, 3)`` in ASE's units.
    :param cell: ``(3, 3)`` in Å, rows are lattice vectors.
    :param pbc: ``(3,)``
    :param cell_momentum: ``(3, 3)`` momentum of the cell, zero at constant volume.
    :param cell_force: ``(3, 3)`` force on the cell as the last half step used it, eV.
    :param rng: state of the generator of random numbers, JSON.
    :param species: ``(n_species,)`` element symbols in the order of the GP.
    :param start_id: frame id of the start of the condition.
    :param settings_hash: hash of the settings, see `LegSettings.content_hash`.
    :param gp_hash: content hash of the GP that drove the last step.
    :param seen_ids: ``(n_labels,)`` frame ids of all labels met so far, learned or measured only.
    """

    leg: int
    step: int
    asked_step: int
    learnings: int
    learned_step: int
    at_once: int
    detours: int
    numbers: NDArray[np.int64]
    positions: FloatArray
    momenta: FloatArray
    cell: FloatArray
    pbc: NDArray[np.bool_]
    cell_momentum: FloatArray
    cell_force: FloatArray
    rng: str
    species: tuple[str, ...]
    start_id: str
    settings_hash: str
    gp_hash: str
    seen_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        n_atoms = len(self.numbers)
        shapes = {
            "numbers": (n_atoms,),
            "positions": (n_atoms, 3),
            "momenta": (n_atoms, 3),
            "cell": (3, 3),
            "pbc": (3,),
            "cell_momentum": (3, 3),
            "cell_force": (3, 3),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise LegStateError(f"{name} has shape {array.shape}, expected {shape}")
        if self.leg < 1 or self.step < 0 or not NOTHING_ASKED <= self.asked_step <= self.step:
            raise LegStateError(f"leg {self.leg}, step {self.step} and asked step {self.asked_step} don't go together")
        if self.learnings < 1 or not 0 <= self.learned_step <= self.step or min(self.at_once, self.detours) < 0:
            raise LegStateError(
                f"{self.learnings} learnings, the last at step {self.learned_step} of {self.step}, {self.at_once} of "
                f"them unsure at once, and {self.detours} detours don't go together"
            )
        self.generator()

    def generator(self) -> np.random.Generator:
        """Return the generator of random numbers as the last leg left it.

        :raises LegStateError: not the state of a PCG64.
        """
        bits = np.random.PCG64()
        try:
            bits.state = json.loads(self.rng)
        except (TypeError, ValueError, KeyError) as error:
            raise LegStateError(f"rng is no state of the generator {GENERATOR} ({error})") from error
        return np.random.Generator(bits)

    def save(self, path: str | Path) -> None:
        """Write all fields as arrays of their names, atomically; no pickles."""
        arrays = {item.name: np.asarray(getattr(self, item.name)) for item in fields(self)}
        with write_atomically(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> LegState:
        """Read what :meth:`save` wrote.

        :raises LegStateError: missing, torn or foreign file, or a state that can't be.
        """
        names = [item.name for item in fields(cls)]
        try:
            with np.load(path, allow_pickle=False) as archive:
                missing = [name for name in names if name not in archive.files]
                arrays: dict[str, Any] = {name: archive[name] for name in names if name not in missing}
        except FileNotFoundError:
            raise LegStateError(f"There is no state file {path}.") from None
        except Exception as error:  # zipfile, numpy and zlib each have their own
            raise LegStateError(
                f"{path} is not a whole state of a leg ({error}): take the one the last leg wrote."
            ) from error
        if missing:
            raise LegStateError(f"{path} is not the state of a leg: it lacks {', '.join(missing)}.")
        for name in ("leg", "step", "asked_step", "learnings", "learned_step", "at_once", "detours"):
            arrays[name] = int(arrays[name])
        for name in ("rng", "start_id", "settings_hash", "gp_hash"):
            arrays[name] = str(arrays[name])
        for name in ("species", "seen_ids"):
            arrays[name] = tuple(str(item) for item in arrays[name].tolist())
        try:
            # Not refused when written: a run that the guard stopped may end like this, but none goes on from it.
            for name in ("positions", "momenta", "cell", "cell_momentum", "cell_force"):
                if not np.isfinite(arrays[name]).all():
                    raise LegStateError(f"{name} holds NaN or infinity")
            return cls(**arrays)
        except LegStateError as error:
            raise LegStateError(f"{path} can't be the state of a leg: {error}.") from error


def state_of(rng: np.random.Generator) -> str:
    """Return the state of a generator as JSON, for `LegState.rng`."""
    return json.dumps(rng.bit_generator.state, sort_keys=True)
