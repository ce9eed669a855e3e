"""Frames of one text dump, plain or compressed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats.dump_bytes import ROOM, ByteLines, Bytes, CutStreamError
from aiida_seireact.formats.dump_header import DumpError, Header, TruncatedDumpError, cut_off, read_header
from aiida_seireact.formats.dump_numbers import Block, by_library
from aiida_seireact.formats.dump_plan import ELEMENT, Columns, Plan, no_element


class TextFrames:
    """Goes through a text dump frame by frame: `header`, then either `atoms` or `pass_over`.

    :param watch: gets the bytes of the file as they are read.
    :ivar lines: where the reading stands.
    :raises ModuleNotFoundError: the dump is .zst and zstandard is missing.
    """

    def __init__(self, path: Path, *, watch: Callable[[memoryview], None] | None = None) -> None:
        self.path = path
        self.lines = ByteLines(path, watch=watch)
        self._index = -1

    @property
    def offset(self) -> int:
        """Place in the plain content, bytes."""
        return self.lines.offset

    def header(self) -> Header | None:
        """Return what stands before the atoms of the next frame; None at the end.

        :raises DumpError: cut off, or not a text dump.
        """
        self._index += 1
        return read_header(self.lines, self._index)

    def pass_over(self, header: Header) -> None:
        """Pass over the atoms of a frame.

        :raises TruncatedDumpError: they are not all there.
        """
        where = f"the atoms of step {header.step}"
        try:
            if self.lines.pass_over(header.n_atoms) < header.n_atoms:
                raise cut_off(self.path, where)
        except CutStreamError as error:
            raise cut_off(self.path, where) from error

    def atoms(self, header: Header, plan: Plan) -> Columns:
        """Return the columns of the plan, each ``(n_atoms,)``, symbols as atomic numbers.

        :raises DumpError: a line has too few or many columns, or a value that is not a number.
        :raises TruncatedDumpError: the atoms are not all there.
        """
        parts: list[Columns] = []
        done = 0
        try:
            for text, n_rows in self.lines.blocks(header.n_atoms):
                block = Block.of(text, n_rows, len(plan.names))
                parts.append(_fast(block, plan) or self._any(text, block, header, plan, done))
                done += n_rows
        except CutStreamError as error:
            raise cut_off(self.path, f"the atoms of step {header.step}") from error
        if done < header.n_atoms:
            raise cut_off(self.path, f"the atoms of step {header.step}")
        names = (*plan.whole, *plan.real, *([ELEMENT] if plan.has_symbols else []))
        empty = np.zeros(0, dtype=np.int64)
        return {name: np.concatenate([part[name] for part in parts]) if parts else empty for name in names}

    def close(self) -> None:
        """Close the file."""
        self.lines.close()

    def _any(self, text: Bytes, block: Block | None, header: Header, plan: Plan, done: int) -> Columns:
        where = f"{self.path}, step {header.step}"
        counts = _tokens_by_line(text)
        wrong = np.flatnonzero(counts != len(plan.names))
        if len(wrong):
            if done + wrong[0] == header.n_atoms - 1:
                raise TruncatedDumpError(
                    f"{self.path} is cut off in the atoms of step {header.step}: its last line has "
                    f"{counts[wrong[0]]} of {len(plan.names)} columns."
                )
            line = text[ROOM:].tobytes().splitlines()[wrong[0]].decode(errors="replace")
            raise DumpError(f"{where}: a line does not have {len(plan.names)} columns: {line.strip()[:80]!r}.")
        try:
            numbers = by_library(text, [plan.place(name) for name in (*plan.whole, *plan.real)])
            columns: Columns = {name: _whole(numbers[:, place]) for place, name in enumerate(plan.whole)}
        except ValueError as error:
            raise DumpError(f"{where}: a value is not a number ({error}).") from error
        for place, name in enumerate(plan.real, start=len(plan.whole)):
            columns[name] = numbers[:, place]
        if plan.has_symbols:
            found = None if block is None else block.symbols(plan.place(ELEMENT))
            columns[ELEMENT] = _symbols(text, plan, where) if found is None else found
        return columns


def _fast(block: Block | None, plan: Plan) -> Columns | None:
    """Read a block of numbers that fit; None if one does not."""
    if block is None:
        return None
    columns: Columns = {}
    for place, name in enumerate(plan.names):
        if name == ELEMENT and plan.has_symbols:
            found: NDArray[np.int64] | NDArray[np.float64] | None = block.symbols(place)
        elif name in plan.whole:
            found = block.whole_numbers(place)
        else:
            # Columns that nobody wants too: only all of them together prove that each is what it seems.
            found = block.reals(place)
        if found is None:
            return None
        columns[name] = found
    return columns if block.is_proved() else None


def _tokens_by_line(text: Bytes) -> NDArray[np.int64]:
    """Return the number of tokens of each line ``(n_rows,)``."""
    is_blank = text[ROOM - 1 :] <= 32
    begins = ~is_blank[1:] & is_blank[:-1]
    ends = np.flatnonzero(text[ROOM:] == 10)
    return np.diff(np.cumsum(begins)[ends], prepend=0)


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    broken = ~np.isfinite(values) | (np.rint(values) != values)
    if broken.any():
        raise ValueError(f"{values[broken][0]} is no whole number")
    return values.astype(np.int64)


def _symbols(text: Bytes, plan: Plan, where: str) -> NDArray[np.int64]:
    tokens = text[ROOM:].tobytes().split()[plan.place(ELEMENT) :: len(plan.names)]
    numbers: dict[bytes, int] = {}
    for token in set(tokens):
        symbol = token.decode(errors="replace")
        if symbol not in atomic_numbers:
            raise no_element(symbol, where)
        numbers[token] = atomic_numbers[symbol]
    return np.array([numbers[token] for token in tokens], dtype=np.int64)
