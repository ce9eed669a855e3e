"""Whether two pages of a report tell the same; PKs and the date they were made apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# A whole number that is part of no word, name or decimal number; or the PK in a key, or a folder, of one of several.
_NUMBER = re.compile(r"(?<![\w.+-])\d+(?!\w|\.\d)|(?<=runs\.)\d+(?=\.)|(?<=report_)\d+\b")
_MADE = re.compile(r"\bon \d{1,2} \w+ \d{4}, \d\d:\d\d UTC from the provenance graph")
_SPACE = re.compile(r"\s+")
_AROUND = 40  # letters told before a difference
_TOLD = 3  # differences told


def page_differences(shipped: str, found: str, pks: Mapping[int, int]) -> Iterator[str]:
    """Yield the first lines in which a page that was shipped is not the one that was made from the graph.

    All is compared but the date it was made and PKs, which differ from profile to profile: a whole number may be
    another one only if both are PKs of the same node.

    :param pks: of each node in the profile that ``shipped`` was made in, with that in the profile of ``found``.
    """
    theirs, ours = shipped.splitlines(), found.splitlines()
    if len(theirs) != len(ours):
        yield f"{len(theirs)} lines, the archive gives {len(ours)}"
    told = 0
    for number, (line, other) in enumerate(zip(theirs, ours, strict=False), 1):
        if line == other or (place := _first_difference(_plain(line), _plain(other), pks)) is None:
            continue
        yield f"line {number} has {place[0]!r}, the archive gives {place[1]!r}"
        told += 1
        if told == _TOLD:
            return


def _plain(line: str) -> str:
    """Return a line without its date; as wide as it would be by PKs of one length."""
    return _SPACE.sub(" ", _MADE.sub("", line))


def _first_difference(line: str, other: str, pks: Mapping[int, int]) -> tuple[str, str] | None:
    """Return both sides about the first place that differs, None if only PKs do."""
    texts, others = _NUMBER.split(line), _NUMBER.split(other)
    numbers, pk_like = _NUMBER.findall(line), _NUMBER.findall(other)
    before = ""
    for place, (text, same) in enumerate(zip(texts, others, strict=False)):
        if text != same:
            start = next(
                (i for i, (a, b) in enumerate(zip(text, same, strict=False)) if a != b), min(len(text), len(same))
            )
            head = (before + text[:start])[-_AROUND:]
            return head + text[start : start + _AROUND], head + same[start : start + _AROUND]
        before = (before + text)[-_AROUND:]
        if place < min(len(numbers), len(pk_like)) and numbers[place] != pk_like[place]:
            if pks.get(int(numbers[place])) != int(pk_like[place]):
                return before + numbers[place], before + pk_like[place]
            before += pk_like[place]
    return None if len(texts) == len(others) else (line[-_AROUND:], other[-_AROUND:])
