"""Sphinx configuration. What the code can tell of itself is read from the code: see ``_ext/from_code.py``."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# AiiDA makes its folder when it is imported; never the one of the person who builds the pages.
(HERE / "_build" / "aiida" / ".aiida").mkdir(mode=0o700, parents=True, exist_ok=True)
os.environ["AIIDA_PATH"] = str(HERE / "_build" / "aiida")

from aiida_seireact import __version__  # noqa: E402

SOURCE = "https://github.com/aiida-seireact/aiida-seireact"

project = "aiida-seireact"
author = "The aiida-seireact developers"
copyright = author
release = version = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.linkcode", "api", "from_code", "gallery"]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The tutorial is executed by tests/workflow/test_tutorial.py, beside a daemon.
nb_execution_mode = "off"

# `this` in a docstring is a name, not an emphasis.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Return where the source of an object lies; viewcode would copy all of it, at five times the time."""
    module = sys.modules.get(info["module"])
    found: object = module
    for name in info["fullname"].split("."):
        found = getattr(found, name, None)
    try:
        line = inspect.getsourcelines(inspect.unwrap(found))[1]  # type: ignore[arg-type]
    except (TypeError, OSError):  # a property, a field, a class AiiDA made: no lines of their own
        return None
    return f"{SOURCE}/blob/v{version}/{info['module'].replace('.', '/')}.py#L{line}"


html_theme = "furo"
html_title = "aiida-seireact"
html_theme_options = {
    "source_repository": f"{SOURCE}/",
    "source_branch": "main",
    "source_directory": "docs/",
}
