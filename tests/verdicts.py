"""Verdicts of a one-line scorecard, for tests of what reads them."""

from __future__ import annotations

from typing import Any

from aiida_seireact.formats.scorecard import read_scorecard
from aiida_seireact.formats.verdict import content_of, judged
from aiida_seireact.science.validation.targets import Measured


def verdict_on(model_hash: str, li3p_mev_per_atom: float = 3.0) -> dict[str, Any]:
    """Return the verdict on a model whose energy of Li3P is this wrong; up to 5 meV/atom is production."""
    scorecard = read_scorecard({"name": "toy", "lines": {"products": {"test": "energies", "target": {"max": 5.0}}}})
    found = Measured(
        subject="Li3P", quantity="energy RMSE", value=li3p_mev_per_atom, unit="meV/atom", frames=("f" * 64,)
    )
    return content_of(judged(scorecard, {"products": [found]}, model_hash=model_hash, settings_hash="a" * 64))
