"""A classifier that is there: what it was made with is settled, and a job that asks for something else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.classify import SETTLED, ClassifyJob
from aiida_seireact.formats.phases import load_classifier
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Classifier

WHAT_TO_DO = (
    "Leave it out. Other gates and references for the same clusters: `aiida-seireact relabel`; another clustering: "
    "classify without the classifier."
)


def known_classifier(job: ClassifyJob, folder: Path, spec: DescriptorSpec) -> Classifier:
    """Return the classifier that a job names.

    :param spec: of the descriptors the job asks for.
    :raises PhasesError: no whole classifier.
    :raises InvalidInput: made with other descriptors.
    """
    classifier, known_spec = load_classifier(folder / str(job.classifier))
    if known_spec.content_hash != spec.content_hash:
        raise InvalidInput(
            f"{job.classifier} was made with the descriptors {known_spec.to_dict()}, the job asks for "
            f"{spec.to_dict()}: points of unlike descriptors can't be compared; give the same spec."
        )
    return classifier


def require_settled(job: ClassifyJob, classifier: Classifier) -> None:
    """Refuse what a job names and the classifier has settled otherwise: it would be ignored.

    :raises InvalidInput: with the setting, and what to do instead.
    """
    asked = job.model_dump(include=set(SETTLED), exclude_unset=True)
    if message := settled_complaint(asked, classifier, str(job.classifier)):
        raise InvalidInput(message)


def settled_complaint(asked: Mapping[str, Any], classifier: Classifier, where: str) -> str | None:
    """Return a sentence about the first setting that is unlike the classifier's own, None if there is none.

    :param asked: settings by key, of which those in ``SETTLED`` are looked at; of ``gates`` those that are named.
    :param where: what the classifier is called.
    """
    own: dict[str, Any] = {
        "n_landmarks": len(classifier.landmarks),
        "normalisation": classifier.reduction.normalisation,
        "engine": classifier.peaks.engine,
        "maxk": classifier.maxk,
        "alpha": classifier.alpha,
        "z": classifier.peaks.z,
    }
    for key in sorted(SETTLED & set(asked)):
        value = asked[key]
        if key == "gates":
            gates = asdict(classifier.gates)
            for name, gate in value.items():
                if gate != gates[name]:
                    return _complaint(f"gates.{name}", gate, where, gates[name])
        elif key == "keep_variance":
            if not _keeps(classifier, value):
                raw = classifier.reduction.vectors is None
                return _complaint(key, value, where, None if raw else classifier.reduction.kept_variance)
        elif key == "neighbours":
            if value not in ("auto", classifier.peaks.neighbour_search):
                return _complaint(key, value, where, classifier.peaks.neighbour_search)
        elif key not in own:
            return f"{key}: {value} was asked for, but {where} has its landmarks and clusters already. {WHAT_TO_DO}"
        elif value != own[key]:
            return _complaint(key, value, where, own[key])
    return None


def spec_complaint(asked: Mapping[str, Any], spec: DescriptorSpec, where: str) -> str | None:
    """Return a sentence about the first key of a spec that is unlike the classifier's own, None if there is none.

    :param asked: the keys of ``spec`` that are named.
    """
    own = spec.to_dict()
    for key, value in asked.items():
        plain = list(value) if isinstance(value, tuple) else value
        # A null, as of `radial` and `source_version`, leaves the choice.
        if plain is not None and plain != own.get(key):
            return (
                f"spec.{key}: {plain} was asked for, but {where} was made with {own.get(key)}, and points of unlike "
                "descriptors can't be compared. Leave it out, or classify without the classifier."
            )
    return None


def _complaint(key: str, asked: Any, where: str, own: Any) -> str:
    return (
        f"{key}: {_told(asked)} was asked for, but {where} was made with {_told(own)}, and nothing is clustered again. "
        f"{WHAT_TO_DO}"
    )


def _told(value: Any) -> str:
    return "null" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _keeps(classifier: Classifier, share: float | None) -> bool:
    """Whether as many components are kept as this share of the variance needs."""
    reduction = classifier.reduction
    if share is None or reduction.vectors is None:
        return share is None and reduction.vectors is None
    variances = classifier.landmarks.var(axis=0, dtype=float)
    without_last = reduction.kept_variance * float(variances[:-1].sum() / variances.sum())
    # Landmarks are single precision.
    return without_last - 1e-6 < share <= reduction.kept_variance + 1e-6
