"""``seireact.phases``: a classifier of environments, enough to relabel and to label new points, not clustered again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_seireact.formats import files
from aiida_seireact.formats.phases import PhasesError, load_classifier, load_sensitivity
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Classifier


class PhasesData(orm.SinglefileData):
    """Landmarks, reduction, clusters, densities, saddles, core flags, references with their gates, and label table.

    The file is the one ``seireact-classify`` writes and reads (arrays only, no pickles), so a stored classifier goes
    back into the program as it is. Attributes to query: ``label_names``, ``n_clusters``, ``n_unknown_clusters``,
    ``n_landmarks``, ``n_features``, ``z``, ``spec`` and ``spec_hash`` of the descriptors, ``content_hash``.
    """

    def __init__(self, file: str | Path | None = None, **kwargs: Any) -> None:
        """:param file: path of ``phases.npz``.

        :raises PhasesError: not a whole classifier.
        """
        if file is None:
            raise PhasesError("Phases are made of the file that seireact-classify writes: PhasesData(path).")
        classifier, spec = load_classifier(file)
        super().__init__(file=Path(file).absolute(), filename=files.PHASES, **kwargs)
        self.base.attributes.set_many(
            {
                "label_names": list(classifier.names),
                "n_clusters": int(classifier.n_clusters),
                "n_unknown_clusters": int((classifier.cluster_labels == 0).sum()),
                "n_landmarks": len(classifier.landmarks),
                "n_features": int(classifier.landmarks.shape[1]),
                "z": float(classifier.peaks.z),
                "spec": spec.to_dict(),
                "spec_hash": spec.content_hash,
                "content_hash": hashlib.sha256(Path(file).read_bytes()).hexdigest(),
            }
        )

    def _validate(self) -> bool:
        super()._validate()
        with self.open(mode="rb") as stream:
            if hashlib.sha256(stream.read()).hexdigest() != self.base.attributes.get("content_hash"):
                raise ValidationError("The file of these phases does not belong to their content hash.")
        return True

    def sensitivity(self) -> list[dict[str, Any]]:
        """Return what another z would have given in the run it was made of; empty in older nodes."""
        with self.as_path() as path:
            return load_sensitivity(path)

    def classifier(self) -> tuple[Classifier, DescriptorSpec]:
        """Return the classifier and the spec of the descriptors it understands."""
        with self.as_path() as path:
            return load_classifier(path)

    @property
    def label_names(self) -> list[str]:
        """Names of the phases; the first is `unknown`."""
        return list(self.base.attributes.get("label_names"))
