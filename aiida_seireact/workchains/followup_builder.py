"""From a protocol of `seireact.followup` to a builder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.disorder import read_settings
from aiida_seireact.formats.followup import FollowUpSettings
from aiida_seireact.science.structures.library import made_of
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.gap import gap_engine_of
from aiida_seireact.workchains.label import LabelWorkChain, find_code_of
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import merge


def builder_from_protocol(
    cls: Any,
    composition: str,
    parent: str | None = None,
    *,
    cif: str | None = None,
    phases: Sequence[str] | None = None,
    cifs: Mapping[str, str] | None = None,
    potential: PotentialData | None = None,
    verdict: orm.Dict | None = None,
    codes: Mapping[str, orm.AbstractCode] | None = None,
    protocol: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> ProcessBuilder:
    """Return a builder: ``fast`` relaxes by CHGNet, the others relax by it and label by the DFT engine they name.

    :param composition: formula, with fractions, as ``Li2S0.75P0.125Cl0.125``.
    :param parent: phase of the library whose sites it has; or
    :param cif: the text of its CIF.
    :param phases: of the library, that make the hull; default: all of its elements.
    :param cifs: texts of further phases, by name.
    :param potential: compiled model for the MD; None: there is no MD.
    :param verdict: on the model.
    :param codes: ``label``, ``relax``, ``lmp``, ``analyse``, ``gap``; default: the newest on localhost.
    :raises ValueError: an unknown phase, a composition that does not fit, a CIF that can't be read.
    """
    inputs = cls.get_protocol_inputs(protocol, overrides)
    given = dict(codes or {})
    settings = {**inputs["parameters"], "composition": composition, "parent": parent, "cif": cif}
    builder = cls.get_builder()
    builder.parameters = orm.Dict({name: value for name, value in settings.items() if value is not None})
    asked = read_settings(FollowUpSettings, builder.parameters.get_dict())
    builder.phases = orm.List(list(phases) if phases is not None else made_of(asked.amounts))
    for name, text in (cifs or {}).items():
        builder.cifs[name] = orm.SinglefileData.from_string(text, filename="phase.cif")
    level = inputs["label"]["protocol"]
    label = merge(
        LabelWorkChain.get_protocol_inputs(level), {k: v for k, v in inputs["label"].items() if k != "protocol"}
    )
    builder.label.code = given.get("label") or find_code_of(label["engine"])
    builder.label.engine = orm.Str(label["engine"])
    builder.label.parameters = orm.Dict(label["parameters"])
    builder.label.batch_size = orm.Int(label["batch_size"])
    if inputs["relax"] is not None:
        builder.relax.code = given.get("relax") or find_code("label")
        builder.relax.parameters = orm.Dict(inputs["relax"])
    engine = gap_engine_of(label["engine"])
    if engine is not None and asked.gap_orderings:
        builder.gap.engine = orm.Str(engine)
        builder.gap.code = given.get("gap") or builder.label.code
        builder.gap.parameters = orm.Dict(label["parameters"])
    if potential is not None:
        _give_md(builder, inputs["md"], potential, verdict, given, asked.conductor.species)
    builder.options = dict(options or {})
    return builder


def _give_md(
    builder: ProcessBuilder,
    settings: Mapping[str, Any],
    potential: PotentialData,
    verdict: orm.Dict | None,
    codes: Mapping[str, orm.AbstractCode],
    species: str,
) -> None:
    run = merge(ProduceWorkChain.get_protocol_inputs(settings["protocol"])["parameters"], settings["parameters"])
    builder.md.potential = potential
    builder.md.code = codes.get("lmp") or find_code("lmp")
    builder.md.parameters = orm.Dict(run)
    if verdict is not None:
        builder.md.verdict = verdict
    builder.md.analyse.code = codes.get("analyse") or find_code("analyse")
    builder.md.analyse.parameters = orm.Dict(merge({"diffusion": {"species": [species]}}, settings["analyse"]))
