from __future__ import annotations

import pytest

from aiida_seireact.formats.creators import Creator


def test_all_parts_are_read() -> None:
    found = Creator.parse("Doe, Jane Q.; https://orcid.org/0000-0002-1825-0097; University of X")
    assert found == Creator("Doe", "Jane Q.", "0000-0002-1825-0097", "University of X")
    told = found.as_datacite()
    assert told["nameIdentifiers"][0]["nameIdentifier"] == "https://orcid.org/0000-0002-1825-0097"
    assert told["affiliation"] == [{"name": "University of X"}]


@pytest.mark.parametrize(
    ("text", "creator"),
    [
        ("Doe, Jane", Creator("Doe", "Jane")),
        ("Doe, Jane; University of X", Creator("Doe", "Jane", "", "University of X")),
        ("Doe, Jane;; University of X", Creator("Doe", "Jane", "", "University of X")),
        ("Doe, Jane; 0000-0002-9079-593X", Creator("Doe", "Jane", "0000-0002-9079-593X")),
    ],
)
def test_orcid_and_affiliation_may_be_left_out(text: str, creator: Creator) -> None:
    assert Creator.parse(text) == creator


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Jane Doe", "is no creator: write 'Family, Given; ORCID; affiliation'"),
        ("Doe,", "is no creator"),
        ("Doe, Jane; 0000-0002-1825-0098", "of Doe is no ORCID"),
        ("Doe, Jane; 0000-0002-1825-009; X", "of Doe is no ORCID"),
        ("Doe, Jane; 0000-0002-1825-0097; X; Y", "too many parts"),
    ],
)
def test_what_is_wrong_is_said(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Creator.parse(text)
