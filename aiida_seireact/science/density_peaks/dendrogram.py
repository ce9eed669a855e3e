"""Which clusters join first as the density they are cut at falls."""

from __future__ import annotations

import numpy as np

from aiida_seireact.science.density_peaks.result import DensityPeaks, FloatArray


def linkage(peaks: DensityPeaks) -> FloatArray:
    """Return the clusters as a tree that ``scipy.cluster.hierarchy.dendrogram`` draws.

    Clusters join at their saddles, the densest first (d'Errico et al., Inf. Sci. 560, 476 (2021)); a
    height is how far a saddle lies below the highest peak, in log density. What no saddle joins meets at the height
    of the least dense point.

    :returns: ``(n_clusters − 1, 4)`` as ``scipy.cluster.hierarchy.linkage``: the two joined, height, clusters in
        the union. Leaf i is cluster i.
    """
    n_clusters = peaks.n_clusters
    top = float(peaks.log_density.max())
    root = list(range(2 * n_clusters - 1))
    sizes = [1] * n_clusters
    steps: list[tuple[int, int, float, int]] = []

    def group(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    def join(a: int, b: int, height: float) -> None:
        a, b = sorted((group(a), group(b)))
        if a == b:
            return
        union = n_clusters + len(steps)
        root[a] = root[b] = union
        sizes.append(sizes[a] + sizes[b])
        steps.append((a, b, height, sizes[union]))

    for place in np.argsort(-peaks.border_log_density, kind="stable"):
        low, high = peaks.borders[place]
        join(int(low), int(high), top - float(peaks.border_log_density[place]))
    floor = top - float(peaks.log_density.min())
    for cluster in range(1, n_clusters):
        join(0, cluster, floor)
    return np.asarray(steps, dtype=np.float64).reshape(-1, 4)
