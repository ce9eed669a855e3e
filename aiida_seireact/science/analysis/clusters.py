"""Clusters of bonded atoms, and whether they reach through the periodic cell: percolation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Connected groups of atoms, the largest first.

    :param members: ``(n_atoms,)`` cluster of each atom.
    :param sizes: ``(n_clusters,)`` atoms in the cell.
    :param wraps: ``(n_clusters, 3)`` whether one gets along the cluster from an atom to an image of it that is shifted
        along each lattice vector. A chain along a + b wraps along both, and has one dimension.
    :param dimensions: ``(n_clusters,)`` 0 for an island, 1 for a chain, 2 for a layer, 3 for a net.
    """

    members: IntArray
    sizes: IntArray
    wraps: NDArray[np.bool_]
    dimensions: IntArray


def bonded_clusters(positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff_ang: float) -> Clusters:
    """Connect atoms closer than a cutoff and find the clusters, with the ways on which they meet their images.

    Each atom gets a lattice vector by a spanning tree of its cluster. A bond that the tree does not explain closes a
    way to an image: the span of such vectors is the dimension (M. Livraghi et al.,
    J. Chem. Theory Comput. 17, 6449 (2021)). So a chain that closes only after two turns, or
    through several cells, is found from one cell.

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not, of the atoms that count.
    :param cell: ``(3, 3)``, rows are lattice vectors; ``pbc``: ``(3,)``.
    :param cutoff_ang: longest bond.
    :raises ValueError: a cutoff that is not positive, or positions of another shape.
    """
    places, lattice = np.asarray(positions, dtype=np.float64), np.asarray(cell, dtype=np.float64)
    if places.ndim != 2 or places.shape[1:] != (3,):
        raise ValueError(f"Positions have shape {places.shape}, expected (n_atoms, 3).")
    if not cutoff_ang > 0:
        raise ValueError(f"The longest bond is {cutoff_ang:g} Å: it must be positive.")
    n_atoms = len(places)
    if not n_atoms:
        nothing = np.zeros(0, dtype=np.int64)
        return Clusters(nothing, nothing, np.zeros((0, 3), dtype=bool), nothing)
    first, second, shift = _bonds(places, lattice, np.asarray(pbc, dtype=bool), cutoff_ang)
    # One bond of each pair makes the tree; the others, and bonds of an atom to its own images, close ways.
    pair = first * n_atoms + second
    _, chosen = np.unique(pair, return_index=True)
    tree = chosen[first[chosen] != second[chosen]]
    graph = coo_matrix((tree + 1, (first[tree], second[tree])), shape=(n_atoms, n_atoms)).tocsr()
    n_clusters, members = connected_components(graph, directed=False)
    offsets = _offsets(graph, members, n_clusters, shift)
    ways = offsets[first] + shift - offsets[second]
    closed = ways.any(axis=1)

    sizes = np.bincount(members, minlength=n_clusters)
    order = np.argsort(-sizes, kind="stable")
    place_of = np.empty(n_clusters, dtype=np.int64)
    place_of[order] = np.arange(n_clusters)
    members = place_of[members]
    wraps = np.zeros((n_clusters, 3), dtype=bool)
    dimensions = np.zeros(n_clusters, dtype=np.int64)
    owners = members[first[closed]]
    for cluster in np.unique(owners):
        found = np.unique(ways[closed][owners == cluster], axis=0)
        wraps[cluster] = found.any(axis=0)
        dimensions[cluster] = np.linalg.matrix_rank(found)
    return Clusters(members, sizes[order], wraps, dimensions)


def _bonds(
    places: NDArray[np.float64], lattice: NDArray[np.float64], periodic: NDArray[np.bool_], cutoff_ang: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Return both atoms of each bond ``(n_bonds,)``, each bond both ways round, and the image of the second."""
    wrapped, images, owner = with_images(places, lattice, periodic, cutoff_ang)
    near = cKDTree(wrapped).sparse_distance_matrix(cKDTree(images), cutoff_ang, output_type="coo_matrix")
    first, image = near.row.astype(np.int64), near.col.astype(np.int64)
    # Without an atom and itself. Two atoms on one spot are at distance zero, and bonded.
    real = first != image
    first, image = first[real], image[real]
    shift = np.rint((images[image] - wrapped[owner[image]]) @ np.linalg.inv(lattice)).astype(np.int64)
    second = owner[image]
    # Rounding may put one way of a bond as long as the cutoff inside and the other outside: one way tells of both.
    ahead = np.array([9, 3, 1]) @ np.sign(shift).T > 0
    one_way = (first < second) | ((first == second) & ahead)
    first, second, shift = first[one_way], second[one_way], shift[one_way]
    return np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([shift, -shift])


def _offsets(graph: coo_matrix, members: IntArray, n_clusters: int, shift: IntArray) -> IntArray:
    """Return the lattice vector of each atom along a spanning tree of its cluster, ``(n_atoms, 3)``."""
    n_atoms = len(members)
    _, roots = np.unique(members, return_index=True)
    # One more atom that knows a root of each cluster makes one tree of all.
    whole = graph.tocoo()
    rows = np.concatenate([whole.row, np.full(n_clusters, n_atoms)])
    columns = np.concatenate([whole.col, roots])
    linked = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_atoms + 1, n_atoms + 1)).tocsr()
    _, before = breadth_first_order(linked, n_atoms, directed=False)
    parent = before[:n_atoms].astype(np.int64)
    step = np.zeros((n_atoms + 1, 3), dtype=np.int64)
    inner = np.flatnonzero(parent != n_atoms)
    if len(inner):
        step[inner] = shift[np.asarray(graph[parent[inner], inner]).ravel() - 1]
    # Sums along the ways to the roots, doubling the length summed each time.
    above = np.append(parent, n_atoms)
    while (above != n_atoms).any():
        step, above = step + step[above], above[above]
    return np.asarray(step[:n_atoms])
