"""Labels of environments: reduction, references with their own length scale, and clusters named after them.

A cluster takes the name of a reference phase only if the phase's references fall into its core *and* lie as near to
it as they lie to each other. Without that second condition a phase that is absent gets its name on some cluster.
"""

from aiida_seireact.science.labelling.assignment import (
    Assignment,
    assign,
    follow,
    label_landmarks,
    landmark_ratios,
)
from aiida_seireact.science.labelling.changes import adopt, relabel
from aiida_seireact.science.labelling.classifier import Classifier, build_classifier
from aiida_seireact.science.labelling.errors import UNKNOWN, LabellingError, require_name
from aiida_seireact.science.labelling.expectation import same_neighbours_expectation
from aiida_seireact.science.labelling.gates import Gates
from aiida_seireact.science.labelling.naming import Naming, Placement, Stage
from aiida_seireact.science.labelling.reduction import Reduction, fit_reduction
from aiida_seireact.science.labelling.references import FEWEST_REFERENCES, Reference, reference

__all__ = [
    "FEWEST_REFERENCES",
    "UNKNOWN",
    "Assignment",
    "Classifier",
    "Gates",
    "LabellingError",
    "Naming",
    "Placement",
    "Reduction",
    "Reference",
    "Stage",
    "adopt",
    "assign",
    "build_classifier",
    "fit_reduction",
    "follow",
    "label_landmarks",
    "landmark_ratios",
    "reference",
    "relabel",
    "require_name",
    "same_neighbours_expectation",
]
