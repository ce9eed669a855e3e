"""Who made something: a person's name, ORCID and affiliation, told on one line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
FORM = "'Family, Given; ORCID; affiliation'"


@dataclass(frozen=True)
class Creator:
    """A person; ``orcid`` as sixteen digits with hyphens, it and ``affiliation`` empty where not told."""

    family: str
    given: str
    orcid: str = ""
    affiliation: str = ""

    @classmethod
    def parse(cls, text: str) -> Creator:
        """Read ``Family, Given; ORCID; affiliation``, of which the last two may be left out.

        :raises ValueError: no family and given name, or an ORCID whose check digit is wrong (ISO 7064 MOD 11-2).
        """
        name, *rest = [part.strip() for part in text.split(";")]
        family, comma, given = (part.strip() for part in name.partition(","))
        if not (family and comma and given):
            raise ValueError(f"{text!r} is no creator: write {FORM}.")
        orcid, affiliations = "", [part for part in rest if part]
        if affiliations and re.search(r"\d{4}-\d{4}", affiliations[0]):
            if (found := ORCID.fullmatch(affiliations.pop(0))) is None or not _is_orcid(found[1]):
                raise ValueError(f"{rest[0]!r} of {family} is no ORCID: look at it again, a digit is wrong.")
            orcid = found[1]
        if len(affiliations) > 1:
            raise ValueError(f"{text!r} has too many parts: write {FORM}.")
        return cls(family, given, orcid, affiliations[0] if affiliations else "")

    @property
    def name(self) -> str:
        """Family and given name, as in a list of references."""
        return f"{self.family}, {self.given}"

    def as_datacite(self) -> dict[str, Any]:
        """Return this person as DataCite has creators."""
        told: dict[str, Any] = {
            "name": self.name,
            "nameType": "Personal",
            "familyName": self.family,
            "givenName": self.given,
        }
        if self.orcid:
            told["nameIdentifiers"] = [
                {
                    "nameIdentifier": f"https://orcid.org/{self.orcid}",
                    "nameIdentifierScheme": "ORCID",
                    "schemeUri": "https://orcid.org",
                }
            ]
        if self.affiliation:
            told["affiliation"] = [{"name": self.affiliation}]
        return told


def _is_orcid(orcid: str) -> bool:
    total = 0
    for digit in orcid.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == orcid[-1]
