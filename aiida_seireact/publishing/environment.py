"""The environment a bundle was made in, and that its programs ran in by their own word."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from aiida_seireact.formats.atomic import write_json
from aiida_seireact.publishing.bundle import LOCK, VERSIONS
from aiida_seireact.publishing.what_ran import Ran


def write_environment(ran: Ran, folder: Path) -> None:
    """Write the lock of this side, as `pip freeze` would without its paths, and the versions the programs told."""
    (folder / LOCK).parent.mkdir()
    lock = "\n".join(f"{name}=={version}" for name, version in installed().items())
    head = f"# The AiiDA side: Python {platform.python_version()} on {platform.system()} {platform.machine()}."
    (folder / LOCK).write_text(f"{head}\n{lock}\n", encoding="utf-8")
    told: dict[str, Any] = {"python": platform.python_version(), **ran.as_dict()}
    write_json(folder / VERSIONS, told)


def installed() -> dict[str, str]:
    """Return the version of each distribution of this environment, by name."""
    # What an installation that was broken off left has no name.
    named = (item for item in importlib.metadata.distributions() if "Name" in item.metadata)
    found = {item.metadata["Name"].lower(): item.version for item in named}
    return dict(sorted(found.items()))
