"""Which node holds which number of ``summary.json``: the one table of it, for the report and for `trace`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_seireact.cli.render.outputs import CLOSED, FIRST, Outputs

# Key of a model's numbers: output that holds it, path in the attributes of that node.
OF_MODEL = {
    "model_hash": ("potential", "model_hash"),
    "energy_rmse_mev_per_atom": ("metrics", "all.energy_rmse_mev_per_atom"),
    "force_rmse_ev_per_ang": ("metrics", "all.force_rmse_ev_per_ang"),
    "force_rms_ev_per_ang": ("metrics", "all.force_rms_ev_per_ang"),
    "stress_rmse_gpa": ("metrics", "all.stress_rmse_gpa"),
    "errors_by_type": ("metrics", "by_type"),
    "verdict.scorecard": ("verdict", "scorecard"),
    "verdict.decision": ("verdict", "decision"),
}
OF_RUN = {
    "md_steps": ("trajectory", "steps"),
    "md_atoms": ("trajectory", "n_atoms"),
    "md_timestep_fs": ("trajectory", "timestep_fs"),
    "production_stopped_by": ("trajectory", "stopped_by"),
    "ps4_intact_start": ("analysis", "ps4_intact_start"),
    "ps4_intact_end": ("analysis", "ps4_intact_end"),
    "phase_fractions.of": ("classification", "of"),
    "phase_fractions.first": ("classification", "phase_fractions.first_tenth"),
    "phase_fractions.last": ("classification", "phase_fractions.last_tenth"),
    "phase_fractions.all": ("classification", "phase_fractions.whole_run"),
}
OF_ALL = {
    "n_frames": ("dataset", "n_frames"),
    "frames_by_type": ("dataset", "config_types"),
    "frames_by_split.train": ("dataset", "n_train"),
    "frames_by_split.val": ("dataset", "n_val"),
    "frames_by_split.test": ("dataset", "n_test"),
    "dataset_hash": ("dataset", "content_hash"),
    "n_flare_legs": ("campaigns", "n_legs"),
    "canary_force_rmse": ("campaigns", "canary_force_rmse_ev_per_ang"),
    "n_augmented_frames": ("augmentation", "n_labelled"),
    "augmented_force_rmse_before": ("augmentation", "held_out.before.all.force_rmse_ev_per_ang"),
    "augmented_force_rmse_after": ("augmentation", "held_out.after.all.force_rmse_ev_per_ang"),
    "reference_plan": ("reference_plan", "phases"),
    "discovery": ("discovery", ""),
    "rounds": ("rounds", "rounds"),
}
OF_CONDITION = ("n_legs", "n_labels", "steps", "n_sparse", "canary_force_rmse_ev_per_ang", "ended_by")
COUNTED = {
    "n_label_calls": ("summary", "n_label_calls"),
    "verdict.n_numbers": ("verdict", "lines"),
    "verdict.failed": ("verdict", "lines"),
    "n_label_failures": ("label_failures", "failures"),
}
"""Numbers that are a count or a sum of what the node holds, not a value in it."""


@dataclass(frozen=True)
class Source:
    """Where a number is: in the attributes of a node, those of a Dict being its content.

    :param path: keys from the outside in, joined by dots; empty for all of them.
    :param is_value: whether the number stands there; else it is counted or summed from what stands there.
    """

    uuid: str
    path: str
    is_value: bool = True


def sources_of(outputs: Outputs) -> dict[str, Source]:
    """Return the node that holds each number of the summary, by its key; keys of a mapping joined by dots.

    A key stands for all below it: ``errors_by_type`` also tells where ``errors_by_type.Li2S`` is. What no node holds,
    as a count of processes or a version, has no source; neither has what is not there yet.
    """
    found: dict[str, Source] = {}
    parts = {"": {**OF_ALL, **OF_MODEL, **OF_RUN}}
    if outputs.has_first:
        parts[FIRST] = {**OF_MODEL, **OF_RUN}
    for part, table in parts.items():
        for key, (output, path) in table.items():
            if (source := _source(outputs, output, path, part)) is not None:
                found[f"{part}.{key}" if part else key] = source
    for key, (output, path) in COUNTED.items():
        if (source := _source(outputs, output, path, is_value=False)) is not None:
            found[key] = source
    found |= dict(_of_conditions(outputs))
    label = outputs.inputs.get("label")
    if isinstance(label, orm.Dict) and value_at(label.get_dict(), "calculator.name", None) is not None:
        found["labeller"] = Source(label.uuid, "calculator.name")
    if outputs.is_study and (comparison := outputs.find("comparison", CLOSED, quietly=True)) is not None:
        found[CLOSED] = Source(comparison.uuid, "")
    return found


def _source(outputs: Outputs, output: str, path: str, part: str = "", *, is_value: bool = True) -> Source | None:
    node = outputs.find(output, part, quietly=True)
    if node is None or (is_value and value_at(node.base.attributes.all, path, None) is None):
        return None
    return Source(node.uuid, path, is_value)


def _of_conditions(outputs: Outputs) -> Iterator[tuple[str, Source]]:
    campaigns = outputs.find("campaigns", quietly=True)
    for name in (campaigns.get_dict().get("conditions") or {}) if campaigns is not None else {}:
        yield f"flare_label_steps.{name}", Source(campaigns.uuid, f"conditions.{name}.label_steps")
        for key in OF_CONDITION:
            yield f"conditions.{name}.{key}", Source(campaigns.uuid, f"conditions.{name}.{key}")


def source_of(sources: Mapping[str, Source], key: str) -> Source | None:
    """Return where a number is by its key, or by that of something around it; None if nobody knows."""
    for stem in _stems(key):
        if stem in sources:
            source = sources[stem]
            below = key[len(stem) + 1 :] if source.is_value else ""
            return Source(source.uuid, ".".join(filter(None, (source.path, below))), source.is_value)
    return None


def _stems(key: str) -> Iterator[str]:
    """Yield a key and what is around it, the longest first."""
    words = key.split(".")
    for n_words in range(len(words), 0, -1):
        yield ".".join(words[:n_words])


_MISSING = object()


def value_at(content: Any, path: str, default: Any = _MISSING) -> Any:
    """Return what stands at a path of keys joined by dots; a key may hold dots itself.

    :raises KeyError: nothing stands there and no default was given.
    """
    found = _look(content, path)
    if found is not _MISSING:
        return found
    if default is _MISSING:
        raise KeyError(path)
    return default


def _look(content: Any, path: str) -> Any:
    if not path:
        return content
    if isinstance(content, Mapping):
        for stem in _stems(path):
            if stem in content and (found := _look(content[stem], path[len(stem) + 1 :])) is not _MISSING:
                return found
    return _MISSING
