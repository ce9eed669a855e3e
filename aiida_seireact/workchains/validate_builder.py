"""How a validation is set up: inputs of a protocol, and the labeller that a dataset is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.label import LabelWorkChain, find_code_of

LABELLER = ("engine", "label", "batch_size")


def fill(
    builder: ProcessBuilder,
    inputs: Mapping[str, Any],
    nodes: Mapping[str, orm.Data | None],
    *,
    runs: Mapping[str, orm.Data],
    codes: Mapping[str, orm.AbstractCode],
    options: Mapping[str, Any],
    own_level: bool,
) -> ProcessBuilder:
    """Return the builder of `seireact.validate` with all inputs.

    :param inputs: of a protocol.
    :param nodes: potential, compiled, dataset and phases, None for what is not given.
    :param own_level: the level of theory is that of the inputs, whoever labelled the dataset.
    """
    for name, node in nodes.items():
        if node is not None:
            setattr(builder, name, node)
    builder.runs = dict(runs)
    builder.scorecard = orm.Dict(inputs["scorecard"])
    builder.md = orm.Dict(inputs["md"])
    builder.evaluate = orm.Dict(inputs["evaluate"])
    builder.engine = orm.Str(inputs["engine"])
    builder.label = orm.Dict(inputs["label"])
    builder.batch_size = orm.Int(inputs["batch_size"])
    dataset = nodes.get("dataset")
    labelling = labelling_of(dataset) if isinstance(dataset, DatasetData) and not own_level else None
    code = None
    if labelling is not None:
        builder.engine, builder.label = labelling.inputs.engine, labelling.inputs.parameters
        builder.batch_size, code = labelling.inputs.batch_size, labelling.inputs.code
    if not codes:
        codes = {"validate": find_code("validate"), "label": code or find_code_of(inputs["engine"])}
        codes |= {} if nodes.get("compiled") is None else {"lmp": find_code("lmp")}
    builder.codes = dict(codes)
    builder.options = dict(options)
    return builder


def labelling_of(dataset: DatasetData) -> orm.WorkChainNode | None:
    """Return the newest process that labelled frames at the level of theory of a dataset; None if nobody did here."""
    query = orm.QueryBuilder()
    query.append(LabelWorkChain, filters={"attributes.exit_status": 0}, project="*", tag="label")
    query.append(
        FramesData,
        with_incoming="label",
        edge_filters={"label": "frames"},
        filters={"attributes.settings_hash": dataset.settings_hash},
    )
    query.order_by({"label": {"ctime": "desc"}})
    found: orm.WorkChainNode | None = query.first(flat=True)
    return found
