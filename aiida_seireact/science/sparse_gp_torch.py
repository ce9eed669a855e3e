"""The formulas of a sparse Gaussian process on tensors of torch, which differentiates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.descriptors import chebyshev_polynomials, real_harmonics

if TYPE_CHECKING:
    from torch import Tensor

    from aiida_seireact.science.sparse_gp import SparseGP

FloatArray = NDArray[np.float64]

# FLARE's kernel is zero for a descriptor shorter than this: an atom with no neighbour, or only at the very cutoff.
EMPTY_NORM = 1e-8


class Tensors:
    """The arrays of a process as tensors, shared with numpy, and the formulas on them."""

    def __init__(self, gp: SparseGP) -> None:
        import torch

        self.gp = gp
        self.sparse = [torch.tensor(part, dtype=torch.float64) for part in gp.descriptors]
        self.alpha = [torch.tensor(part, dtype=torch.float64) for part in gp.alpha]
        self.whiten = [torch.tensor(part, dtype=torch.float64) for part in gp.inverse_cholesky]
        channels = len(gp.species) * gp.n_max
        rows, columns = torch.triu_indices(channels, channels)
        self.upper = rows * channels + columns

    def predict(
        self, centre: NDArray[np.int64], neighbour_channels: NDArray[np.int64], edges: Tensor, channels: NDArray[Any]
    ) -> tuple[Tensor, FloatArray]:
        """Return the energy of all atoms without their species' own, eV, and the relative standard deviations.

        :param centre: ``(n_pairs,)`` first atom of each pair.
        :param neighbour_channels: ``(n_pairs,)`` species of the second.
        :param edges: ``(n_pairs, 3)`` vector between them, Å.
        :param channels: ``(n_atoms,)`` species of the first atoms.
        """
        import torch

        gp, n_atoms = self.gp, len(channels)
        # Atoms in the order of their species, so that those of one are a block and nothing large is gathered.
        order = np.argsort(channels, kind="stable")
        ranks = np.empty(n_atoms, dtype=np.int64)
        ranks[order] = np.arange(n_atoms)
        descriptors, scale = self._descriptors(ranks[centre], neighbour_channels, edges, n_atoms)
        counts = np.bincount(channels, minlength=len(gp.species)).tolist()
        energy = torch.zeros((), dtype=torch.float64)
        variances = []
        parts = zip(
            torch.split(descriptors, counts),
            torch.split(scale, counts),
            self.sparse,
            self.alpha,
            self.whiten,
            strict=True,
        )
        for values, factor, sparse, alpha, whiten in parts:
            kernel = gp.sigma**2 * ((values @ sparse.T) * factor[:, None]) ** gp.power
            energy = energy + (kernel @ alpha).sum()
            known = ((kernel.detach() @ whiten.T) ** 2).sum(dim=1)
            variances.append(gp.sigma**2 - known)
        variance = torch.empty(n_atoms, dtype=torch.float64)
        variance[torch.from_numpy(order)] = torch.cat(variances)
        deviation = variance.abs().sqrt() * variance.sign() / gp.sigma
        return energy, deviation.numpy()

    def _descriptors(
        self, centre: NDArray[np.int64], neighbour_channels: NDArray[np.int64], edges: Tensor, n_atoms: int
    ) -> tuple[Tensor, Tensor]:
        """Return B2 descriptors ``(n_atoms, n_features)`` and the inverse of their norms, 0 where there is none.

        As :func:`aiida_seireact.science.descriptors.describe`, around all atoms.
        """
        import torch

        gp, n_species = self.gp, len(self.gp.species)
        distances = edges.norm(dim=1)
        x, y, z = (edges / distances[:, None]).unbind(1)
        radial = torch.stack(chebyshev_polynomials(distances / gp.cutoff_ang, gp.n_max), dim=1)
        radial = radial * ((distances - gp.cutoff_ang) ** 2)[:, None]
        angular = torch.stack(real_harmonics(x, y, z, gp.l_max), dim=1)
        # Sums over neighbours as products of small matrices, short ones filled with zeros: all pairs of functions for
        # each neighbour would be an array ten times as large, and the time here is that of memory.
        places, longest = _places(centre * n_species + neighbour_channels, n_atoms * n_species)
        tables = [_padded(values, places, n_atoms * n_species, longest) for values in (radial, angular)]
        c = (tables[0].transpose(1, 2) @ tables[1]).view(n_atoms, n_species * gp.n_max, angular.shape[1])
        squares = []
        for ell in range(gp.l_max + 1):
            part = c[:, :, ell**2 : (ell + 1) ** 2]
            squares.append((part @ part.transpose(1, 2)).flatten(1).index_select(1, self.upper))
        b2 = torch.stack(squares, dim=2).flatten(1)
        # The gradient of a norm is NaN at zero, hence the mask before the root.
        square = (b2**2).sum(dim=1)
        present = square.detach() >= EMPTY_NORM**2
        return b2, torch.where(present, square, 1.0).rsqrt() * present


def _places(slots: NDArray[np.int64], n_slots: int) -> tuple[Tensor, int]:
    """Return for each item its row in a table of `n_slots` rows a slot ``(n_items,)``, and the rows of a slot."""
    import torch

    order = np.argsort(slots, kind="stable")
    counts = np.bincount(slots, minlength=n_slots)
    longest = int(counts.max(initial=1))
    first = np.cumsum(counts) - counts
    places = np.empty(len(slots), dtype=np.int64)
    places[order] = np.arange(len(slots)) - np.repeat(first - longest * np.arange(n_slots), counts)
    return torch.from_numpy(places), longest


def _padded(values: Tensor, places: Tensor, n_slots: int, longest: int) -> Tensor:
    """Return ``values`` ``(n_items, n)`` at their places among zeros ``(n_slots, longest, n)``."""
    import torch

    table = torch.zeros((n_slots * longest, values.shape[1]), dtype=torch.float64)
    return table.index_copy(0, places, values).view(n_slots, longest, values.shape[1])
