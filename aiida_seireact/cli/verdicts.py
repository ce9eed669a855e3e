"""Verdicts on a model that the profile holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_seireact.formats.verdict import SCHEMA

if TYPE_CHECKING:
    from aiida.orm import Dict

    from aiida_seireact.data.potential import PotentialData


def verdict_on(potential: PotentialData) -> Dict | None:
    """Return the newest verdict on a model, by whichever scorecard, None if nobody has judged it.

    Package and compiled file are one model. Only what a validation returned that came to its end counts.
    """
    from aiida.orm import Dict, QueryBuilder

    from aiida_seireact.workchains.validate import ValidateWorkChain

    query = QueryBuilder()
    query.append(ValidateWorkChain, filters={"attributes.exit_status": 0}, tag="validation")
    query.append(
        Dict,
        with_incoming="validation",
        edge_filters={"label": "verdict"},
        filters={"attributes.schema": SCHEMA, "attributes.model_hash": potential.model_hash},
        project="*",
        tag="verdict",
    )
    query.order_by({"verdict": {"ctime": "desc"}})
    found: Dict | None = query.first(flat=True)
    return found
