"""What of a discovery is looked at: environments cut out, and the curves of the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.discovery import DiscoveryCurves
from aiida_seireact.formats.jobs.discover import DiscoverSettings
from aiida_seireact.programs import _discovery_groups as counted
from aiida_seireact.programs._discovery_groups import Look, Measured
from aiida_seireact.science.discovery import shells

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Patterns = Sequence[tuple[FloatArray, FloatArray]]
"""Of each group: its own, and the nearest known one."""


def cut_out(seen: Look, members: NDArray[np.bool_], group: str, centre: str, settings: DiscoverSettings) -> list[Atoms]:
    """Cut typical environments of a group out of a frame: a centre with what lies around it, in vacuum, to look at.

    One of each of the most frequent anion shells. No cell to compute anything with: its surface is where it was cut.
    """
    rows, names = seen.centres[members], seen.shell_names(members)
    rng = np.random.default_rng([settings.seed, seen.snapshot.step])
    radius = min(settings.example_radius_ang, seen.frame.reach_ang)
    found = []
    for name, _ in Counter(names.tolist()).most_common(settings.n_examples):
        row = int(rng.choice(rows[names == name]))
        _, neighbour, vectors = seen.frame.within([row], radius)
        order = np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")
        atoms = Atoms(
            numbers=np.concatenate([[seen.frame.numbers[row]], seen.frame.numbers[neighbour[order]]]),
            positions=np.concatenate([np.zeros((1, 3)), vectors[order]]) + radius + 2.0,
            cell=[2 * radius + 4.0] * 3,
            pbc=False,
        )
        atoms.info.update(
            config_type=group, group=f"{group}: {centre} with {name}", md_step=int(seen.snapshot.step)
        )  # fmt: skip
        found.append(atoms)
    return found


def curves_of(
    steps: Sequence[int],
    in_time: IntArray,
    slabs: Sequence[tuple[IntArray, FloatArray, float]],
    measured: Sequence[Measured],
    elements: Sequence[int],
    patterns: Patterns,
    region_patterns: Patterns,
    settings: DiscoverSettings,
) -> DiscoveryCurves:
    """Gather the curves of all groups.

    :param slabs: for each late frame looked at the group of each centre, its place along z in [0, 1), the height in Å.
    """
    n_groups = len(measured)
    height = float(np.mean([height for _, _, height in slabs]))
    n_slabs = max(1, round(height / settings.bin_width_ang))
    along_z = np.zeros((n_groups, n_slabs))
    for group, z, _ in slabs:
        slab = np.minimum((z * n_slabs).astype(np.int64), n_slabs - 1)
        along_z += np.bincount(group * n_slabs + slab, minlength=n_groups * n_slabs).reshape(n_groups, n_slabs)
    along_z /= len(slabs)
    rdf = np.full((n_groups, len(elements), counted.N_BINS), np.nan)
    for row, found in enumerate(measured):
        if found.counts is None or found.densities is None:
            continue
        for column, counts in enumerate(found.counts):
            density = found.densities[column] / found.n_counted
            if density > 0:
                rdf[row, column] = shells.distribution(counts, found.n_counted, density, settings.r_max_ang)
    angles = counted.angles(settings)
    nothing = np.zeros((0, len(angles)))
    return DiscoveryCurves(
        steps=np.asarray(steps, dtype=np.int64),
        in_time=in_time,
        n_centres=in_time.sum(axis=0),
        z_edges_ang=np.linspace(0.0, height, n_slabs + 1),
        along_z=along_z,
        all_along_z=along_z.sum(axis=0),
        elements=np.array([chemical_symbols[element] for element in elements]),
        r_ang=shells.radii(settings.r_max_ang, counted.N_BINS),
        rdf=rdf,
        two_theta_deg=angles,
        xrd=np.stack([own for own, _ in patterns]) if patterns else nothing,
        xrd_nearest=np.stack([near for _, near in patterns]) if patterns else nothing,
        region_xrd=np.stack([own for own, _ in region_patterns]) if region_patterns else nothing,
        region_xrd_nearest=np.stack([near for _, near in region_patterns]) if region_patterns else nothing,
    )
