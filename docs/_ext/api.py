"""A directive that writes the API reference: every public function and class of a package, one section a module."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class PackageApi(SphinxDirective):
    """One argument: a package, or a module. Packages in a package have pages of their own.

    With ``:only: METHOD`` nothing but that method is told, of the classes that define it.
    """

    required_arguments = 1
    option_spec: ClassVar = {"only": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        only = self.options.get("only")
        return [self.section(module, only) for module in modules_of(self.arguments[0]) if public(module, only)]

    def section(self, module: ModuleType, only: str | None) -> nodes.section:
        """Return what autodoc says of a module, under the name that is imported."""
        section = nodes.section(ids=[nodes.make_id(module.__name__)], names=[module.__name__])
        section += nodes.title(module.__name__, "", nodes.literal(text=module.__name__))
        lines = ["```{eval-rst}", f".. automodule:: {module.__name__}", ""]
        for name, item in public(module, only).items():
            kind = "class" if inspect.isclass(item) else "function"
            lines.append(f".. auto{kind}:: {module.__name__}.{name}")
            lines += [f"   :members: {only or ''}", ""] if kind == "class" else [""]
        self.state.nested_parse(StringList([*lines, "```"], source=module.__name__), self.content_offset, section)
        return section


def modules_of(name: str) -> Iterator[ModuleType]:
    """Yield a module, or a package and its modules; those named ``_...`` are nobody's business."""
    found = import_module(name)
    yield found
    inner = [item.name for item in pkgutil.iter_modules(getattr(found, "__path__", ())) if not item.ispkg]
    for part in sorted(inner):
        if not part.startswith("_"):
            yield import_module(f"{name}.{part}")


def public(module: ModuleType, only: str | None = None) -> dict[str, Any]:
    """Return the functions and classes that a module defines itself, in the order of its source."""
    return {
        name: item
        for name, item in vars(module).items()
        if (inspect.isfunction(item) or inspect.isclass(item))
        and item.__module__ == module.__name__
        and not name.startswith("_")
        and (only is None or only in vars(item))
    }


def keep_bars(app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Keep |F|² a modulus: to reStructuredText bars are a substitution."""
    lines[:] = [re.sub(r"``.*?``|\|", lambda found: found[0] if found[0] != "|" else r"\|", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive, and what docstrings need."""
    app.add_directive("package-api", PackageApi)
    app.connect("autodoc-process-docstring", keep_bars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
