from __future__ import annotations

import importlib.metadata
import json
from importlib.resources import files
from typing import Any

import pytest

from aiida_seireact.publishing.bundle import BundleError
from aiida_seireact.publishing.metadata import SCHEMA_FILE, SOURCE, Metadata, complaints, datacite_of
from aiida_seireact.publishing.texts import licences

from .graphs import ASKED


def told(**changes: Any) -> dict[str, Any]:
    asked = {**ASKED, **changes}
    return datacite_of(
        Metadata.of(**asked),
        date="2026-11-28",
        subjects=["AiiDA"],
        description="What stands behind it.",
        cited=[("10.1038/s41597-020-00638-4", "DOI"), ("arXiv:2506.10944", "arXiv")],
    )


def test_metadata_are_valid_and_tell_people_licence_and_works() -> None:
    found = told(trajectory_doi="https://doi.org/10.5281/zenodo.1234567")
    assert complaints(found) == []
    assert [creator["name"] for creator in found["creators"]] == ["Doe, Jane", "Roe, Richard"]
    assert found["rightsList"][0]["rightsUri"] == "https://spdx.org/licenses/CC-BY-4.0.html"
    kinds = [(item["relationType"], item["relatedIdentifierType"]) for item in found["relatedIdentifiers"]]
    assert kinds == [("IsSupplementedBy", "DOI"), ("Cites", "DOI"), ("Cites", "arXiv"), ("IsCompiledBy", "URL")]
    assert found["relatedIdentifiers"][0]["relatedIdentifier"] == "10.5281/zenodo.1234567"
    # Of the data, which have none yet; the version of the program is told where it is named.
    assert "version" not in found


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda data: data.pop("creators"), "'creators' is a required property"),
        (lambda data: data.update(publicationYear="twenty"), "publicationYear: 'twenty' does not match"),
        (lambda data: data.update(colour="red"), "'colour' was unexpected"),
        (lambda data: data["creators"][0].update(colour="red"), "creators/0: 'colour' is no property of this"),
        (lambda data: data["creators"][0].update(nameType="Robot"), "creators/0/nameType"),
        (lambda data: data["types"].update(resourceTypeGeneral="Cake"), "'Cake' is not one of"),
        (lambda data: data["relatedIdentifiers"][0].update(colour="red"), "'colour' is no property of this"),
        (lambda data: data["relatedIdentifiers"][0].update(relationType="Likes"), "'Likes' is not one of"),
        (lambda data: data["relatedIdentifiers"][0].update(schemeUri="https://x.org"), "schemeUri"),
        (lambda data: data.update(doi="not one"), "doi: 'not one' does not match"),
    ],
)
def test_what_datacite_does_not_know_is_told(spoil: Any, complaint: str) -> None:
    data = told()
    spoil(data)
    assert complaint in "; ".join(complaints(data))


def test_several_licences_have_no_page_of_their_own() -> None:
    asked = "MIT OR Apache-2.0"
    assert "rightsUri" not in told(licence=asked)["rightsList"][0]
    assert "spdx.org" not in licences(asked, [])
    assert "https://spdx.org/licenses/CC-BY-4.0.html" in licences("CC-BY-4.0", [])


def test_the_libraries_in_the_page_of_the_report_are_told_with_their_licences() -> None:
    assert all(word in licences("CC-BY-4.0", []) for word in ("plotly.js (MIT)", "3Dmol.js (BSD-3-Clause)"))


def test_the_schema_is_datacites_own() -> None:
    schema = json.loads(files("aiida_seireact.publishing").joinpath("data", SCHEMA_FILE).read_text())
    assert schema["title"] == "DataCite v4.5"
    # Every reference lies within: nothing is fetched.
    assert all(
        line.split('"$ref": "')[1].startswith("#") for line in json.dumps(schema).split(",") if '"$ref": "' in line
    )


def test_all_that_is_missing_or_wrong_is_told_at_once() -> None:
    with pytest.raises(BundleError) as error:
        Metadata.of("", [], None)
    assert [line.split()[0] for line in str(error.value).splitlines()] == ["--title", "--creator", "--license"]
    with pytest.raises(BundleError) as error:
        Metadata.of("t", ["Jane"], "my own", trajectory_doi="zenodo")
    words = str(error.value)
    assert "'Jane' is no creator" in words
    assert "'my own' is no SPDX name" in words
    assert "'zenodo' is no DOI" in words


def test_a_licence_is_written_as_spdx_writes_it() -> None:
    assert Metadata.of(**{**ASKED, "licence": "cc0-1.0"}).licence == "CC0-1.0"
    assert complaints(told(licence="MIT OR Apache-2.0")) == []


def test_the_source_is_where_the_package_says() -> None:
    urls = importlib.metadata.metadata("aiida-seireact").get_all("Project-URL") or []
    assert f"Source, {SOURCE}" in urls
