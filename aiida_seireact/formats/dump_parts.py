"""Dumps of several files: one a frame (``*`` in the name) or one a process (``%``), read as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from aiida_seireact.formats.dump_binary import BinaryFrames, is_binary
from aiida_seireact.formats.dump_header import DumpError, Header, TruncatedDumpError
from aiida_seireact.formats.dump_plan import Columns, Plan
from aiida_seireact.formats.dump_text import TextFrames


class FrameSource(Protocol):
    """Frames of a dump in order: `header`, then either `atoms` or `pass_over`."""

    def header(self) -> Header | None:
        """Return what stands before the atoms of the next frame; None at the end."""

    def atoms(self, header: Header, plan: Plan) -> Columns:
        """Return the columns of the plan, each ``(n_atoms,)``."""

    def pass_over(self, header: Header) -> None:
        """Pass over the atoms of a frame."""

    def close(self) -> None:
        """Close all files."""


def open_dump(path: Path) -> FrameSource:
    """Open a dump; a name with ``*`` or ``%``, as LAMMPS was given it, stands for all of its files.

    :raises DumpError: there is no such file.
    """
    if path.is_file():
        return BinaryFrames(path) if is_binary(path) else TextFrames(path)
    if "*" in path.name:
        names = _by_number(path, "*")
        if names:
            return Series([path.with_name(name) for name in names])
    elif "%" in path.name:
        names = _by_number(path, "%")
        if names:
            return Parts(path, [open_dump(path.with_name(name)) for name in names])
    raise DumpError(f"There is no dump file {path}.")


class Series:
    """Files one after another, one open at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._source: FrameSource | None = None

    def header(self) -> Header | None:
        """Return what stands before the atoms of the next frame, in this file or the next; None at the end."""
        while True:
            if self._source is None:
                if not self._paths:
                    return None
                self._source = open_dump(self._paths.pop(0))
            header = self._source.header()
            if header is not None:
                return header
            self.close()

    def atoms(self, header: Header, plan: Plan) -> Columns:
        """Return the columns of the plan, each ``(n_atoms,)``."""
        assert self._source is not None
        return self._source.atoms(header, plan)

    def pass_over(self, header: Header) -> None:
        """Pass over the atoms of a frame."""
        assert self._source is not None
        self._source.pass_over(header)

    def close(self) -> None:
        """Close the file that is open."""
        if self._source is not None:
            self._source.close()
            self._source = None


class Parts:
    """Files that hold each some atoms of every frame."""

    def __init__(self, path: Path, sources: Sequence[FrameSource]) -> None:
        self._path, self._sources = path, sources
        self._headers: list[Header] = []

    def header(self) -> Header | None:
        """Return what stands before the atoms of the next frame, atoms of all files counted; None at the end.

        :raises TruncatedDumpError: some files end before others.
        :raises DumpError: the files are of different runs.
        """
        found = [source.header() for source in self._sources]
        self._headers = [header for header in found if header is not None]
        if not self._headers:
            return None
        first = self._headers[0]
        if len(self._headers) < len(found):
            raise TruncatedDumpError(
                f"{self._path} is cut off in step {first.step}: {len(found) - len(self._headers)} of its {len(found)} "
                "files end before it."
            )
        if any(header.step != first.step or header.columns != first.columns for header in self._headers):
            raise DumpError(f"{self._path}: its files are at different steps or have different columns.")
        total = sum(header.n_atoms for header in self._headers)
        return Header(first.step, total, first.cell, first.origin, first.pbc, first.columns)

    def atoms(self, header: Header, plan: Plan) -> Columns:
        """Return the columns of the plan, each ``(n_atoms,)``, atoms of all files."""
        parts = [source.atoms(own, plan) for source, own in zip(self._sources, self._headers, strict=True)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def pass_over(self, header: Header) -> None:
        """Pass over the atoms of a frame in all files."""
        for source, own in zip(self._sources, self._headers, strict=True):
            source.pass_over(own)

    def close(self) -> None:
        """Close all files."""
        for source in self._sources:
            source.close()


def _by_number(path: Path, sign: str) -> list[str]:
    """Return the names that stand for ``path.name``, a number in the place of ``sign``, by that number.

    Another sign in the name is left in it, once for all the files it stands for.
    """
    other = {"*": "%", "%": "*"}[sign]
    pattern = re.compile(
        "".join("(?P<number>[0-9]+)" if c == sign else "[0-9]+" if c == other else re.escape(c) for c in path.name)
    )
    found: dict[int, str] = {}
    for candidate in path.parent.iterdir() if path.parent.is_dir() else ():
        match = pattern.fullmatch(candidate.name)
        if match:
            found[int(match["number"])] = path.name.replace(sign, match["number"])
    return [found[number] for number in sorted(found)]
