"""Decisions and sums of closing the loop: how much of a run is unknown, before and after it was learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.formats.jobs.close_loop import CloseLoopSettings
from aiida_seireact.science.labelling import UNKNOWN


def unknown_part(classification: Mapping[str, Any], settings: CloseLoopSettings) -> dict[str, Any]:
    """Return the part of unknown environments of a run, of what it is a part, and of how many.

    :param classification: output of `seireact.classify`.
    :raises ValueError: the unknown is listed as metal or electrolyte, so it is no part of the interphase.
    """
    told = classification["interphase"] if settings.of == "interphase" else classification
    if UNKNOWN not in told["phase_fractions"][settings.when]:
        raise ValueError(
            f"The run was classified with {UNKNOWN!r} among `metal` or `electrolyte`, so the interphase holds nothing "
            "unknown: classify it without, or set `of` to all."
        )
    n_environments = told["n_environments"]
    return {
        "unknown": told["phase_fractions"][settings.when][UNKNOWN],
        "of": told["of"],
        "n_environments": n_environments[settings.when] if isinstance(n_environments, Mapping) else n_environments,
        "when": settings.when,
        "n_unknown_clusters": classification["n_unknown_clusters"],
        "last_step": classification["last_step"],
    }


@calcfunction
def decide_to_learn(settings: orm.Dict, classification: orm.Dict) -> orm.Dict:
    """Decide whether what is unknown in a run is worth a round of learning.

    :param settings: `formats.jobs.close_loop.CloseLoopSettings`.
    :returns: `learn`, the part that is unknown and the limit.
    """
    told = CloseLoopSettings.model_validate(settings.get_dict())
    part = unknown_part(classification.get_dict(), told)
    return orm.Dict({"learn": part["unknown"] > told.unknown_limit, "limit": told.unknown_limit, **part})


@calcfunction
def compare_unknown(
    settings: orm.Dict, before: orm.Dict, after: orm.Dict, augmentation: orm.Dict, selection: orm.ArrayData
) -> orm.Dict:
    """Tell how much of the run was unknown before and after it was learned from, by one classifier.

    An environment of a phase without a name stays unknown however well the model knows it: what learning changes is how
    many there are; what names them is `adopt`. So the errors of the model on the held-out cells stand beside it.

    :param before: classification of the run of the model that was there; ``after``: of the new model's.
    :param augmentation: numbers of the learning; ``selection``: a row for each frame that was looked at.
    """
    told = CloseLoopSettings.model_validate(settings.get_dict())
    held_out = augmentation["held_out"]
    centres, chosen = selection.get_array("centre_id"), selection.get_array("chosen")
    return orm.Dict(
        {
            "before": unknown_part(before.get_dict(), told),
            "after": unknown_part(after.get_dict(), told),
            "n_labelled": augmentation["n_labelled"],
            "n_cells_cut_out": int((centres[chosen] >= 0).sum()),
            "n_atoms_removed": int(selection.get_array("n_removed").sum()),
            "held_out": {when: None if held_out[when] is None else held_out[when]["all"] for when in held_out},
        }
    )
