"""Verdicts on a model that the profile holds, and runs that ask for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load_node
from aiida_seireact.formats.verdict import REJECTED, SCHEMA

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import Dict

    from aiida_seireact.data.potential import PotentialData


def verdict_on(potential: PotentialData) -> Dict | None:
    """Return the verdict on a model that decides, None if nobody has judged it.

    Of each scorecard (its lines and targets) the newest counts. Where one of these is a rejection, that is the answer,
    whatever other scorecards say: a model does not become better by easier questions. Package and compiled file are
    one model. Only what a validation returned that came to its end counts.
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
    newest: dict[str, Dict] = {}
    for verdict in query.all(flat=True):
        newest.setdefault(verdict.base.attributes.get("scorecard_hash", ""), verdict)
    rejected = (verdict for verdict in newest.values() if verdict.base.attributes.get("decision") == REJECTED)
    return next(rejected, next(iter(newest.values()), None))


def give_verdict(builder: ProcessBuilder, name: str | None, *, unjudged: bool, accept_rejected: bool) -> None:
    """Give the run the verdict on its model: the one named, else the one of the profile that decides.

    :raises click.ClickException: what is named is no verdict.
    """
    from aiida import orm

    node = verdict_on(builder.potential) if name is None else load_node(name)
    if node is None:
        builder.unjudged = builder.unjudged or unjudged
        return
    if not isinstance(node, orm.Dict):
        raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}; a verdict is a Dict.")
    builder.verdict, builder.unjudged = node, False
    if accept_rejected:
        builder.accept_rejected = orm.Bool(True)


def judged(builder: ProcessBuilder) -> str:
    """Return what is known of the model, in words."""
    verdict = builder.get("verdict")
    if verdict is None:
        return "nobody has judged this model (`aiida-seireact validate`): the run is a look at it"
    content = verdict.get_dict()
    failed = [line["message"] for line in content["lines"] if not line["passed"]]
    return f"the scorecard {content['scorecard']} says {content['decision']}: {' '.join(failed) or 'no line failed'}"
