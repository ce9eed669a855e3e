"""The how-to *From laptop to cluster* as something to run: its marked commands, and the files it hands to verdi."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs._pages import DOCS, blocks

HOWTO = DOCS / "howto" / "from_laptop_to_cluster.md"
FILES = DOCS / "howto" / "cluster"


class Page:
    """The page's commands, run in a folder that holds its files, with this machine in the cluster's place."""

    def __init__(self, folder: Path) -> None:
        """:param folder: is made, with a copy of the page's files."""
        self.folder = folder
        shutil.copytree(FILES, folder / "cluster")
        self._replaced: dict[str, str] = {}
        self.commands = {
            block.comment.removeprefix("run: "): [line.removeprefix("$ ") for line in block.text.splitlines()]
            for block in blocks(HOWTO)
            if block.info == "console" and block.comment.startswith("run: ")
        }

    def replace(self, written: str, meant: str) -> None:
        """Put what holds on this machine in the place of what the page and its files say.

        :raises AssertionError: they don't say it.
        """
        files = list(self.folder.glob("cluster/*.*"))
        found = [line for lines in self.commands.values() for line in lines if written in line]
        for file in files:
            text = file.read_text(encoding="utf-8")
            if written in text:
                found.append(file.name)
                file.write_text(text.replace(written, meant), encoding="utf-8")
        assert found, f"Neither {HOWTO.name} nor its files say {written!r}"
        self._replaced[written] = meant

    def run(self, name: str, **words: str) -> str:
        """Run the commands of the block marked `run: NAME` and return what they print.

        :param words: replaced in these commands only.
        :raises AssertionError: one fails.
        """
        told = ""
        for line in self.commands[name]:
            for written, meant in {**self._replaced, **words}.items():
                line = line.replace(written, meant)
            environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
            done = subprocess.run(
                ["bash", "-c", line], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
            )
            told += done.stdout + done.stderr
            assert done.returncode == 0, f"{line}\n{told}"
        return told
