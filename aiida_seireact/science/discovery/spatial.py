"""Do the all-sulfur environments of a mixed crystal sit together, or as a random mixture would scatter them?

Two neighbouring centres share anions, so even at random their environments are alike: shuffling the labels of centres
would find domains in every mixture. What is shuffled here is the anions over their sites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
_MOST_LOOKUPS = 4e8


@dataclass(frozen=True)
class Segregation:
    """A permutation test of whether one kind of anion sits together.

    :param n_centres: centres with a full shell of anions that were looked at.
    :param n_anions: anions shuffled.
    :param share: of the kind among those anions, x.
    :param expected: share of centres with a shell all of the kind in a random mixture, x⁴ for four sites.
    :param expected_exact: the same drawn without replacement, as it is.
    :param counted: the share found.
    :param joins: pairs of neighbouring centres that are both all of the kind.
    :param joins_at_random: mean over the shuffled arrangements; :param joins_spread: their standard deviation.
    :param p_value: share of arrangements, the one found included, with as many joins: small where the kind segregates,
        evenly spread over [0, 1] in random mixtures, near 1 where it is ordered.
    :param n_permutations: arrangements drawn.
    """

    n_centres: int
    n_anions: int
    share: float
    expected: float
    expected_exact: float
    counted: float
    joins: int
    joins_at_random: float
    joins_spread: float
    p_value: float
    n_permutations: int


def segregation(
    shells: ArrayLike, numbers: ArrayLike, pairs: ArrayLike, *, kind: int, n_permutations: int = 999, seed: int = 0
) -> Segregation | None:
    """Test whether centres surrounded by one element alone sit together more than the mixture explains.

    The statistic is the join count of Moran (J. R. Stat. Soc. B 10, 243 (1948)), its distribution that of random
    permutations of the anions over their sites.

    :param shells: ``(n_centres, n)`` rows of the anions around each centre of the region, −1 for none; centres without
        a full shell are left out.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param pairs: ``(n_pairs, 2)`` neighbouring centres, as places in `shells`, each pair once.
    :param kind: atomic number.
    :param n_permutations: fewer are drawn in large regions, never less than 99.
    :returns: None where there is nothing to test: no full shell, one element alone, or none of the kind.
    """
    around, elements = np.asarray(shells, dtype=np.int64), np.asarray(numbers)
    full = (around >= 0).all(axis=1)
    joined = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    joined = joined[full[joined].all(axis=1)]
    place = np.cumsum(full) - 1
    joined, around = place[joined], around[full]
    anions, compact = np.unique(around, return_inverse=True)
    compact = compact.reshape(around.shape).astype(np.int32)
    is_kind = elements[anions] == kind
    n, k = len(anions), int(is_kind.sum())
    if not len(around) or k in (0, n):
        return None
    drawn = int(max(99, min(n_permutations, _MOST_LOOKUPS / (compact.size + 2 * len(joined)))))
    rng = np.random.default_rng(seed)

    def count(kinds: NDArray[np.bool_]) -> tuple[int, int]:
        alike = kinds[compact].all(axis=1)
        return int(alike.sum()), int((alike[joined[:, 0]] & alike[joined[:, 1]]).sum())

    counted, joins = count(is_kind)
    random = np.array([count(rng.permutation(is_kind))[1] for _ in range(drawn)])
    width = around.shape[1]
    steps = np.arange(width)
    share = k / n
    return Segregation(
        n_centres=len(around),
        n_anions=n,
        share=share,
        expected=share**width,
        expected_exact=float(np.prod((k - steps) / (n - steps))) if k >= width else 0.0,
        counted=counted / len(around),
        joins=joins,
        joins_at_random=float(random.mean()),
        joins_spread=float(random.std()),
        p_value=_p_value(random, joins, rng),
        n_permutations=drawn,
    )


def _p_value(random: IntArray, found: int, rng: np.random.Generator) -> float:
    # Ties are broken at random: counts are whole numbers, and p would else be too large for small ones.
    above, equal = int((random > found).sum()), int((random == found).sum())
    return float((above + int(rng.integers(equal + 1)) + 1) / (len(random) + 1))
