"""What to cite, decided by what really ran: BibTeX, and the licences a person who repeats the work has to accept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class Work:
    """A method, program or model that can be cited.

    :param when: what must have run, any one of these (see `citations.yaml`)
    :param what: what it is cited for
    :param licence: of a program or model; empty of a method
    """

    key: str
    when: tuple[str, ...]
    what: str
    bibtex: str
    licence: str = ""

    def applies(self, tokens: Iterable[str]) -> bool:
        """Whether it was used where all of these ran."""
        there = list(tokens)
        return any(fnmatchcase(token, wanted) for wanted in self.when for token in there)


@lru_cache(maxsize=1)
def all_works() -> tuple[Work, ...]:
    """Return every work there is an entry for, in the order of the file."""
    text = files("aiida_seireact.publishing").joinpath("data", "citations.yaml").read_text(encoding="utf-8")
    return tuple(
        Work(key, tuple(entry["when"]), entry["for"], entry["bibtex"].strip(), entry.get("licence", ""))
        for key, entry in yaml.safe_load(text).items()
    )


def works_of(tokens: Iterable[str]) -> list[Work]:
    """Return the works behind what ran.

    :param tokens: see `Ran.tokens`.
    """
    there = set(tokens)
    return [work for work in all_works() if work.applies(there)]


def without_entry(tokens: Iterable[str]) -> list[str]:
    """Return what ran and has no entry: programs, labellers and plugins nobody would cite."""
    asked = ("program:", "calculator:", "plugin:")
    named = [
        token for token in sorted(set(tokens)) if token.startswith(asked) and not token.startswith("plugin:seirea")
    ]
    return [token for token in named if not any(work.applies([token]) for work in all_works())]


def identifiers_of(works: Iterable[Work]) -> list[tuple[str, str]]:
    """Return the DOI of each work, else its number on arXiv, each with its kind as DataCite calls it."""
    found = []
    for work in works:
        if doi := re.search(r"doi = \{([^}]+)\}", work.bibtex):
            found.append((doi[1], "DOI"))
        elif number := re.search(r"eprint = \{([^}]+)\}", work.bibtex):
            found.append((f"arXiv:{number[1]}", "arXiv"))
    return found


def bibtex_of(works: Iterable[Work]) -> str:
    """Return the entries as a BibTeX file, each with what it is cited for."""
    parts = [f"% {work.what}\n{work.bibtex}\n" for work in works]
    return "% What stands behind this bundle, by what ran; see README.md.\n\n" + "\n".join(parts)
