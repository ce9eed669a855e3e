"""What makes the page live: our script, and packed in it plotly.js and 3Dmol.js, so that nothing is fetched."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

VENDOR = Path(__file__).parent / "vendor"
VIEWER = VENDOR / "3Dmol-min.js"
LICENCES = {"plotly.js": VENDOR / "plotly-LICENSE.txt", "3Dmol.js": VENDOR / "3Dmol-LICENSE.txt"}


@cache
def packed(name: str) -> str:
    """Return a program as base64 of gzip, a third of its size: the browser unpacks it when the page is painted.

    :param name: ``plotly`` or ``viewer``.
    """
    if name == "plotly":
        from plotly.offline import get_plotlyjs

        text = get_plotlyjs()
    else:
        text = VIEWER.read_text(encoding="utf-8")
    # Without the time in its head the same program packs to the same bytes.
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def script() -> str:
    """Return our own script."""
    return (Path(__file__).parent / "page" / "page.js").read_text(encoding="utf-8")


def licences() -> dict[str, str]:
    """Return the licence text of each program in the page."""
    return {name: path.read_text(encoding="utf-8") for name, path in LICENCES.items()}


def as_json(value: Any) -> Markup:
    """Return JSON that may stand in a script element, whatever words are in it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
