"""What a bundle is called, by whom and under which licence; as DataCite wants it, checked against its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from aiida_seireact.formats.creators import Creator
from aiida_seireact.publishing.bundle import BundleError

SCHEMA_FILE = "datacite-v4.5.json"
KERNEL = "http://datacite.org/schema/kernel-4"
SOURCE = "https://github.com/aiida-seireact/aiida-seireact"
UNPUBLISHED = "(:unav)"
"""What DataCite puts where something is not known yet: the repository fills it in."""
DOI = re.compile(r"10\.\d{4,9}/\S+")


@dataclass(frozen=True)
class Metadata:
    """What a person says of a bundle; `licence` is an SPDX expression."""

    title: str
    creators: tuple[Creator, ...]
    licence: str
    description: str = ""
    trajectory_doi: str | None = None

    @classmethod
    def of(
        cls,
        title: str | None,
        creators: Sequence[str],
        licence: str | None,
        description: str | None = None,
        trajectory_doi: str | None = None,
    ) -> Metadata:
        """Check what was said.

        :raises BundleError: something is missing, or is not of the form it must have; all of it in one message.
        """
        wrong, people = missing(title, creators, licence), []
        for text in creators:
            try:
                people.append(Creator.parse(text))
            except ValueError as error:
                wrong.append(str(error))
        named = licence or ""
        if licence:
            try:
                named = canonicalize_license_expression(licence)
            except InvalidLicenseExpression:
                wrong.append(f"--license {licence!r} is no SPDX name, such as CC-BY-4.0 (https://spdx.org/licenses).")
        doi = (trajectory_doi or "").removeprefix("https://doi.org/").removeprefix("doi:")
        if doi and not DOI.fullmatch(doi):
            wrong.append(f"--trajectory-doi {trajectory_doi!r} is no DOI, such as 10.5281/zenodo.1234567.")
        if wrong:
            raise BundleError("\n".join(wrong))
        return cls((title or "").strip(), tuple(people), named, (description or "").strip(), doi or None)


def missing(title: str | None, creators: Sequence[str], licence: str | None) -> list[str]:
    """Return a sentence for each thing nobody but the author can say, and has not said."""
    asked = {
        "--title is missing: say in a line what the data are.": not (title or "").strip(),
        "--creator is missing: name who made the data, as 'Family, Given; ORCID; affiliation', once a person.": (
            not creators
        ),
        "--license is missing: choose what others may do with the data, as CC-BY-4.0.": not licence,
    }
    return [sentence for sentence, is_missing in asked.items() if is_missing]


def datacite_of(
    metadata: Metadata,
    *,
    date: str,
    subjects: Sequence[str],
    description: str,
    cited: Sequence[tuple[str, str]],
    sizes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the metadata of a deposit, valid by DataCite 4.5.

    :param date: of the bundle, ISO 8601.
    :param description: what the bundle holds, told where the author has said nothing.
    :param cited: DOI or arXiv number of each work cited, with which of the two it is.
    :raises BundleError: not valid; it would be a mistake of ours.
    """
    related = [
        {"relatedIdentifier": identifier, "relatedIdentifierType": kind, "relationType": "Cites"}
        for identifier, kind in cited
    ]
    related.append(
        {
            "relatedIdentifier": SOURCE,
            "relatedIdentifierType": "URL",
            "relationType": "IsCompiledBy",
            "resourceTypeGeneral": "Software",
        }
    )
    if metadata.trajectory_doi:
        related.insert(
            0,
            {
                "relatedIdentifier": metadata.trajectory_doi,
                "relatedIdentifierType": "DOI",
                "relationType": "IsSupplementedBy",
                "resourceTypeGeneral": "Dataset",
            },
        )
    told: dict[str, Any] = {
        "schemaVersion": KERNEL,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "AiiDA provenance, datasets, models and figures"},
        "titles": [{"title": metadata.title}],
        "creators": [creator.as_datacite() for creator in metadata.creators],
        "publisher": {"name": UNPUBLISHED},
        "publicationYear": date[:4],
        "dates": [{"date": date, "dateType": "Created"}],
        "language": "en",
        "subjects": [{"subject": subject} for subject in subjects],
        "formats": ["application/zip", "text/plain", "text/csv", "image/svg+xml", "application/json"],
        "sizes": list(sizes),
        "rightsList": [
            {
                "rights": metadata.licence,
                "rightsIdentifier": metadata.licence,
                "rightsIdentifierScheme": "SPDX",
                "schemeUri": "https://spdx.org/licenses/",
                "rightsUri": f"https://spdx.org/licenses/{metadata.licence}.html",
            }
        ],
        "descriptions": [
            {"description": metadata.description or description, "descriptionType": "Abstract"},
            *([{"description": description, "descriptionType": "TechnicalInfo"}] if metadata.description else []),
        ],
        "relatedIdentifiers": related,
    }
    if " " in metadata.licence:
        # An expression of several licences has no page of its own.
        del told["rightsList"][0]["rightsUri"]
    if wrong := complaints(told):
        raise BundleError(f"The metadata are not valid by DataCite 4.5: {'; '.join(wrong)}.")
    return told


def complaints(told: Any) -> list[str]:
    """Return what DataCite 4.5 finds wrong with metadata, each with its place; empty if they are valid."""
    found = _validator().iter_errors(told)
    return [f"{'/'.join(map(str, error.path)) or 'metadata'}: {error.message[:200]}" for error in found]


@lru_cache(maxsize=1)
def _validator() -> Any:
    text = files("aiida_seireact.publishing").joinpath("data", SCHEMA_FILE).read_text(encoding="utf-8")
    # The schema is of draft 2019-09; all of it but this word is in draft 7, which aiida-core's jsonschema knows.
    kind = extend(Draft7Validator, {"unevaluatedProperties": _no_others})
    return kind(json.loads(text), format_checker=FormatChecker())


def _no_others(validator: Any, allowed: Any, instance: Any, schema: dict[str, Any]) -> Iterator[ValidationError]:
    """Refuse properties that neither a schema nor the parts it is made of name."""
    if allowed is not False or not isinstance(instance, dict):
        return
    known = set(_named(validator, schema))
    for name in sorted(set(instance) - known):
        yield ValidationError(f"{name!r} is no property of this")


def _named(validator: Any, schema: dict[str, Any]) -> Iterator[str]:
    yield from schema.get("properties", {})
    for part in schema.get("allOf", ()):
        yield from _named(validator, part)
    if "$ref" in schema:
        with validator.resolver.resolving(schema["$ref"]) as found:
            yield from _named(validator, found)
