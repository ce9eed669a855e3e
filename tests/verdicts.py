"""Verdicts of a one-line scorecard, for tests of what reads them."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_seireact.calculations.functions.validate import judge
from aiida_seireact.formats.scorecard import read_scorecard
from aiida_seireact.formats.verdict import content_of, judged
from aiida_seireact.science.validation.targets import Measured


def verdict_on(
    model_hash: str, li3p_mev_per_atom: float = 3.0, *, name: str = "toy", limit: float = 5.0
) -> dict[str, Any]:
    """Return the verdict on a model whose energy of Li3P is this wrong; up to 5 meV/atom is production."""
    scorecard = read_scorecard({"name": name, "lines": {"products": {"test": "energies", "target": {"max": limit}}}})
    found = Measured(
        subject="Li3P", quantity="energy RMSE", value=li3p_mev_per_atom, unit="meV/atom", frames=("f" * 64,)
    )
    return content_of(judged(scorecard, {"products": [found]}, model_hash=model_hash, settings_hash="a" * 64))


def stored_verdict(model_hash: str, li3p_mev_per_atom: float = 3.0, **scorecard: Any) -> orm.Dict:
    """Return a stored verdict, made by `judge` as far as the graph can tell."""
    verdict = orm.Dict(verdict_on(model_hash, li3p_mev_per_atom, **scorecard))
    creator = orm.CalcFunctionNode()
    creator.set_process_type(f"{judge.__module__}.{judge.__name__}")
    creator.store()
    verdict.base.links.add_incoming(creator, LinkType.CREATE, "result")
    verdict.store()
    creator.seal()
    return verdict
