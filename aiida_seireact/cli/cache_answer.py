"""Would AiiDA's cache answer a calculation if it were submitted again today, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aiida.common.exceptions import EntryPointError
from aiida.common.hashing import make_hash
from aiida.common.links import LinkType
from aiida.manage.caching import get_use_cache
from aiida.orm import CalcFunctionNode, CalcJobNode, CalculationNode, InstalledCode, QueryBuilder
from aiida.plugins import ParserFactory
from aiida.plugins.utils import PluginVersionProvider

from aiida_seireact.calculations.base import missing_outputs, validate_program

SWITCH_ON = "`aiida-seireact setup` switches it on for ours, `verdi config set caching.enabled_for` for others"


@dataclass(frozen=True)
class Answer:
    """What the cache would say to a calculation.

    :param source: UUID of the node that answers, empty if none does.
    :param reason: why none does.
    :param hash: that it would have today; equal ones are the same calculation.
    :param refusal: why it could not even be submitted, cached or not; empty if it could.
    """

    source: str = ""
    reason: str = ""
    hash: str = ""
    refusal: str = ""


@dataclass
class _Today:
    """What would be hashed: as the node is, and as one made today would be."""

    then: dict[str, Any]
    now: dict[str, Any]
    changes: list[str] = field(default_factory=list)


def answer_of(node: CalculationNode, hashes: dict[int, str | None]) -> Answer:
    """Return what the cache would say if a calculation were submitted again with the same inputs.

    Its hash is that of the node, with the versions and the source of today. The inputs that only save time are left
    out as when it was stored (`ProgramCalculation.UNHASHED`).

    :param hashes: of inputs that were looked at before, by PK; more are added.
    """
    try:
        process_class = node.process_class
    except ValueError as error:
        return Answer(reason="its code is not installed here", refusal=f"{node.process_label} <{node.pk}>: {error}")
    refusal = _refusal(node)
    told = (node.get_metadata_inputs() or {}).get("metadata") or {}
    if told.get("disable_cache"):
        return Answer(reason="its inputs switch the cache off (`metadata.disable_cache`)", refusal=refusal)
    if not get_use_cache(identifier=node.process_type):
        return Answer(reason=f"caching of {node.process_type} is off in this profile: {SWITCH_ON}", refusal=refusal)
    today = _today(node, process_class, hashes)
    wanted = make_hash(today.now)
    source = _valid_node(node, wanted)
    reason = "" if source else _why(node, process_class, today)
    return Answer(source, reason, wanted, refusal)


def _today(node: CalculationNode, process_class: Any, hashes: dict[int, str | None]) -> _Today:
    caching = node.base.caching
    ignored = {*caching._hash_ignored_inputs, *getattr(process_class, "UNHASHED", ())}
    links = node.base.links.get_incoming(link_type=(LinkType.INPUT_CALC, LinkType.INPUT_WORK)).all()
    # An input that many share is hashed once: that is most of the time.
    for link in links:
        if link.link_label not in ignored and link.node.pk not in hashes:
            hashes[link.node.pk] = link.node.base.caching.compute_hash()
    caching._hash_ignored_inputs = [link.link_label for link in links]
    then: dict[str, Any] = caching.get_objects_to_hash()
    then["inputs"] = {link.link_label: hashes[link.node.pk] for link in links if link.link_label not in ignored}
    # Left out when it was stored, but that is told to the node at hand only: one loaded anew does not know.
    for option in getattr(process_class, "UNHASHED_OPTIONS", ()):
        then["attributes"].pop(option, None)
    today = _Today(then, {**then, "attributes": dict(then["attributes"])})
    if isinstance(node, CalcJobNode):
        _jobs_versions(node, process_class, today)
    elif isinstance(node, CalcFunctionNode):
        _source_and_version(process_class, today)
    return today


def _jobs_versions(node: CalcJobNode, process_class: Any, today: _Today) -> None:
    """Put today's cache versions of job and parser in their place, as aiida-core does when it stores a job."""
    parser = node.get_option("parser_name")
    try:
        parser_version = ParserFactory(parser).CACHE_VERSION if parser else None
    except EntryPointError:
        parser_version = None
    versions = {"calc_job": process_class.CACHE_VERSION, "parser": parser_version}
    now = {name: version for name, version in versions.items() if version is not None}
    then = today.then["attributes"].get("cache_version") or {}
    today.now["attributes"].pop("cache_version", None)
    if now:
        today.now["attributes"]["cache_version"] = now
    for name, title in (("calc_job", "of its job"), ("parser", f"of its parser {parser}")):
        if now.get(name) != then.get(name):
            today.changes.append(
                f"CACHE_VERSION {title} is {now.get(name)}, and was {then.get(name)} when it ran: what the older one "
                "made is not taken"
            )


def _source_and_version(function: Any, today: _Today) -> None:
    """Put today's source and versions in the place of those the function was run with."""
    repository, source, version = _written_today(function)
    then, now = today.then["attributes"], today.now["attributes"]
    today.now["repository_hash"] = repository
    now.update(source)
    now["version"] = version
    for package, name in (("core", "aiida-core"), ("plugin", function.__module__.split(".")[0])):
        was, is_now = (then.get("version") or {}).get(package), version.get(package)
        if was != is_now:
            today.changes.append(f"{name} is {is_now}, and was {was} when it ran")
    if repository != today.then["repository_hash"] or any(then.get(key) != value for key, value in source.items()):
        today.changes.append(f"the file of its code, {function.__module__}, has changed since it ran")


@cache
def _written_today(function: Any) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Return the hash of the file of a calcfunction, what tells where it stands there, and the versions."""
    fresh = CalcFunctionNode()
    fresh.store_source_info(function.__wrapped__)
    version: dict[str, str] = PluginVersionProvider().get_version_info(function.__wrapped__)["version"]
    return fresh.base.repository.hash(), dict(fresh.base.attributes.all), version


def _valid_node(node: CalculationNode, wanted: str) -> str:
    """Return the node that aiida-core would take: the first of this hash that is valid."""
    query = QueryBuilder(backend=node.backend)
    query.append(type(node), filters={f"extras.{node.base.caching._HASH_EXTRA_KEY}": wanted}, subclassing=False)
    return next((str(found.uuid) for (found,) in query.iterall() if found.base.caching.is_valid_cache), "")


def _why(node: CalculationNode, process_class: Any, today: _Today) -> str:
    """Return why no node answers."""
    if today.changes:
        return "; ".join(today.changes)
    caching = node.base.caching
    stored = caching.get_hash()
    if stored is None:
        return f"its hash was taken away: `verdi node rehash {node.pk}` gives it back"
    if stored != make_hash(today.then):
        changed = _changed_inputs(node)
        which = f"its input {', '.join(changed)} is" if changed else "it or an input of it is"
        return f"{which} not what was hashed when it ran: the content or how it is hashed has changed"
    if not caching._node.base.extras.get(caching._VALID_CACHE_KEY, True):
        return f"it is marked as not to be taken (extra {caching._VALID_CACHE_KEY})"
    if not node.is_sealed or not node.is_finished:
        state = node.process_state.value if node.process_state else "lost"
        return f"it did not come to an end: {state}{'' if node.is_sealed else ', not sealed'}"
    if node.exit_status:
        return f"it failed with exit status {node.exit_status}: {node.exit_message or 'no reason given'}"
    missing = missing_outputs(process_class, node) if isinstance(node, CalcJobNode) else []
    if missing:
        return f"it lacks its output {', '.join(missing)}"
    return "its process refuses it as a source (`is_valid_cache`)"


def _changed_inputs(node: CalculationNode) -> list[str]:
    """Return the inputs whose content is not what was hashed when they were stored."""
    return [
        f"{entry.link_label} <{entry.node.pk}>"
        for entry in node.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all()
        if entry.node.base.caching.compute_hash() != entry.node.base.caching.get_hash()
    ]


def _refusal(node: CalculationNode) -> str:
    """Return why a job would be refused at submission, which is before the cache is asked; empty if it would not."""
    for entry in node.base.links.get_incoming(node_class=InstalledCode, link_type=LinkType.INPUT_CALC).all():
        if message := validate_program(entry.node, None):
            return str(message)
    return ""
