"""What chance alone would show."""

from __future__ import annotations


def same_neighbours_expectation(share: float, n_neighbours: int = 4) -> float:
    """Return the probability that all neighbours of a site are of one kind in a random mixture, ``share ** n``.

    In an antifluorite Li2(S, P, Cl) a Li has four anions, so at random x_S⁴ of the Li look like those of Li2S:
    0.72⁴ = 0.27 in Li2S0.72P0.14Cl0.14. Print it beside any fraction of Li2S.

    :param share: of the kind among the sites, 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"A share lies between 0 and 1, {share} does not.")
    return float(share**n_neighbours)
