"""Directives that write pages from the code: ports of processes, help of commands, keys of job files, figures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from plumpy.ports import Port, PortNamespace
from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def find(place: str) -> Any:
    """Return the object at ``module:name``."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class FromCode(SphinxDirective):
    """Base: one argument ``module:name``; a subclass gives lines of Markdown."""

    required_arguments = 1

    def markdown(self, thing: Any) -> list[str]:
        """Return the lines that describe ``thing``."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        lines = self.markdown(find(self.arguments[0]))
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.arguments[0]), self.content_offset, container)
        return container.children


class ProcessPorts(FromCode):
    """Ports and exit codes of a process."""

    def markdown(self, thing: Any) -> list[str]:
        spec = thing.spec()
        lines = [cell(inspect.getdoc(thing) or ""), ""]
        for title, ports in (("Inputs", spec.inputs), ("Outputs", spec.outputs)):
            lines += [f"**{title}**", "", "| port | type | needed | meaning |", "|---|---|---|---|"]
            for name, port in ports_of(ports):
                needed = "yes" if port.required and not has_default(port) else "no"
                lines.append(f"| `{name}` | {types_of(port)} | {needed} | {cell(port.help or '')} |")
            lines.append("")
        inherited = {code.status for code in super(thing, thing).spec().exit_codes.values()}
        own = [code for code in spec.exit_codes.values() if code.status >= 200 and code.status not in inherited]
        if own:
            lines += ["**Exit codes of its own**", "", "| code | message |", "|---|---|"]
            lines += [f"| {code.status} | {cell(code.message)} |" for code in sorted(own, key=lambda c: c.status)]
        return lines


def ports_of(namespace: PortNamespace, prefix: str = "") -> Iterator[tuple[str, Port]]:
    """Yield every port that is ours; scheduler options and the like are AiiDA's."""
    for name, port in sorted(namespace.items()):
        if prefix == "" and name in ("metadata", "monitors", "remote_folder", "remote_stash", "retrieved"):
            continue
        if isinstance(port, PortNamespace) and len(port):
            yield from ports_of(port, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", port


def has_default(port: Port) -> bool:
    """Whether a port fills itself."""
    return bool(getattr(port, "has_default", lambda: False)())


def types_of(port: Port) -> str:
    """Return the types a port takes."""
    valid = port.valid_type if isinstance(port.valid_type, tuple) else (port.valid_type,)
    return ", ".join(f"`{item.__name__}`" for item in valid if item is not None and item is not type(None)) or "any"


class CommandHelp(SphinxDirective):
    """The help of a command, and of each of its subcommands, as a terminal shows it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        command = find(self.arguments[0])
        found: list[nodes.Node] = []
        for path, item in commands_of(command, command.name or ""):
            with click.Context(item, info_name=path, terminal_width=96) as context:
                text = item.get_help(context)
            found += [nodes.rubric(text=path), nodes.literal_block(text, text, language="text")]
        return found


def commands_of(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from commands_of(inner, f"{path} {name}")


class JobKeys(FromCode):
    """Keys of a job file, or of another pydantic model, with their defaults."""

    def markdown(self, thing: type[BaseModel]) -> list[str]:
        lines = ["| key | default | meaning |", "|---|---|---|"]
        for name, field in thing.model_fields.items():
            default = "needed" if field.is_required() else f"`{shown(field.get_default(call_default_factory=True))}`"
            lines.append(f"| `{name}` | {default} | {cell(field.description or '')} |")
        return lines


class FigureMap(FromCode):
    """The figure map: a table for each paper, ± where there is a mean, and what cannot be made with the reason."""

    def markdown(self, thing: Any) -> list[str]:
        papers = find("aiida_seireact.figures.entry:PAPERS")
        lines: list[str] = []
        for paper, where in papers.items():
            mine = {name: entry for name, entry in thing.items() if entry.paper == paper}
            made = {name: entry for name, entry in mine.items() if not entry.why_not}
            lines += ["", f"**{cell(paper)}** ({where})", ""]
            lines += ["| it shows | `aiida-seireact figure` | queries | nodes | made by |", "|---|---|---|---|---|"]
            for name, entry in made.items():
                queries = ", ".join(f"`{of}`" for of in entry.queries) or "–"
                mean = " ±" if entry.chart and entry.chart.has_mean else ""
                row = [entry.shows, f"`{name}`{mean}", queries, entry.nodes, entry.needs]
                lines.append("| " + " | ".join(cell(text) for text in row) + " |")
            missing = {name: entry for name, entry in mine.items() if entry.why_not}
            if missing:
                lines += ["", "Cannot be made yet:", ""]
                lines += [f"- {cell(one.shows)} (`{name}`): {cell(one.why_not)}" for name, one in missing.items()]
        return lines


def shown(default: Any) -> str:
    """Return a default as JSON writes it, settings of their own as `{...}`."""
    if isinstance(default, BaseModel):
        return "{...}"
    return {"None": "null", "True": "true", "False": "false", "": '""'}.get(str(default), str(default))


def cell(text: str) -> str:
    """Return text on one line that a table may hold."""
    return " ".join(text.split()).replace("|", r"\|").replace("``", "`")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("process-ports", ProcessPorts)
    app.add_directive("command-help", CommandHelp)
    app.add_directive("job-keys", JobKeys)
    app.add_directive("figure-map", FigureMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
