"""A dataset grows by frames of its model's own runs, and what became of the errors."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.jobs.augment import ExtendSettings, RoundsSettings
from aiida_seireact.science.metrics import errors_by_type
from aiida_seireact.science.selection import within_force_limit

LEARNED, HELD_OUT = "learned", "held_out"


@calcfunction
def extend_dataset(dataset: DatasetData, labelled: FramesData, choice: orm.Dict, parameters: orm.Dict) -> DatasetData:
    """Add labelled frames to a dataset: learned time blocks to train (some to val), those held out to test.

    The frames that were there keep their part. New frames beyond the force limit stay out.

    :param labelled: frames of `seireact.select` with labels of the dataset's level of theory.
    :param choice: of `seireact.select`: which block is learned and which held out.
    :param parameters: fields of `formats.jobs.augment.ExtendSettings`.
    :raises ValueError: frames of unknown blocks, or fewer than ``min_learned`` or ``min_held_out``.
    """
    settings = ExtendSettings.model_validate(parameters.get_dict())
    new = labelled.frames
    if new.forces is None:
        raise ValueError("A dataset grows by labelled frames; these carry no labels.")
    part_of = parts_of_blocks(choice.get_dict()["runs"], settings.val_blocks)
    unknown = sorted(set(new.group.tolist()) - set(part_of))
    if unknown:
        raise ValueError(f"The choice does not know the block {unknown[0]!r}: give the choice these frames come from.")
    split = np.array([part_of[group] for group in new.group.tolist()])
    kept = within_force_limit(new.forces, new.offsets, settings.force_limit_ev_per_ang)
    known = dataset.split_of()
    kept &= np.array([frame_id not in known for frame_id in new.frame_ids])
    for part, name, least in (
        ("train", "to learn from", settings.min_learned),
        ("test", "held out", settings.min_held_out),
    ):
        count = int((kept & (split == part)).sum())
        if count < least:
            raise ValueError(
                f"Only {count} new frames are {name}, at least {least} are needed: of {choice['n_chosen']} chosen "
                f"{len(new)} have labels, and of these {int((~kept).sum())} have a force beyond "
                f"{settings.force_limit_ev_per_ang:g} eV/Å. Choose more frames, or raise the limit."
            )
    return dataset.extended(new, np.where(kept, split, ""))


def parts_of_blocks(runs: dict[str, Any], val_blocks: int) -> dict[str, str]:
    """Return group -> train, val or test; of each run ``val_blocks`` of the learned blocks that gave frames are val.

    They are those before the last, which is learned: there the run went where the model did not know. A run keeps at
    least one block to train on.
    """
    part_of: dict[str, str] = {}
    for run in runs.values():
        learned = [block["group"] for block in run["blocks"] if block["part"] == LEARNED and block["n_chosen"]]
        last = len(learned) - 1
        part_of |= {
            group: "val" if last - val_blocks <= number < last else "train" for number, group in enumerate(learned)
        }
        part_of |= {block["group"]: "test" for block in run["blocks"] if block["part"] == HELD_OUT}
    return part_of


@calcfunction
def summarise_augmentation(
    dataset: DatasetData,
    extended: DatasetData,
    labelled: FramesData,
    choice: orm.Dict,
    predictions: orm.ArrayData,
    parent_predictions: orm.ArrayData,
    **runs: TrajectoryData,
) -> orm.Dict:
    """Tell what was learned, and the errors before and after it.

    :param dataset: before; ``extended``: after.
    :param labelled: the new frames.
    :param choice: of `seireact.select`.
    :param predictions: of the new model for the test frames of ``extended``; ``parent_predictions``: of the old one.
    :param runs: the runs the frames come from, ``run_<name>``.
    :returns: numbers of frames, over all and by run; ``held_out`` and ``old_test``: errors ``before`` and ``after`` by
        config type and over all, of the new frames that were held out, and of those the old model was tested on
        already, where a worse error is what it forgot.
    """
    told = choice.get_dict()
    old, new = set(dataset.frame_ids()), labelled.frames
    split = extended.split_of()
    split = {frame_id: part for frame_id, part in split.items() if frame_id not in old}
    numbers = {}
    for name, run in told["runs"].items():
        mine = np.flatnonzero(new.config_type == f"augment-{name}")
        facts = runs[f"run_{name}"].base.attributes
        numbers[name] = {
            "n_frames": run["n_frames"],
            "n_atoms": run["n_atoms"],
            "asked": run["asked"],
            "n_chosen": run["chosen"][LEARNED] + run["chosen"][HELD_OUT],
            "max_std": run["max_std"],
            "steps": facts.get("steps"),
            "steps_asked": facts.get("steps_asked"),
            "stopped_by": facts.get("stopped_by"),
            "blocks": run["blocks"],
            **counts([split.get(new.frame_ids[index], "") for index in mine]),
        }
    held_out = [frame_id for frame_id, part in split.items() if part == "test"]
    models = {"before": parent_predictions, "after": predictions}
    return orm.Dict(
        {
            "n_chosen": told["n_chosen"],
            **counts([split.get(frame_id, "") for frame_id in new.frame_ids]),
            "runs": numbers,
            "held_out": {name: errors_of(arrays, held_out) for name, arrays in models.items()},
            "old_test": {name: errors_of(arrays, dataset.frame_ids("test")) for name, arrays in models.items()},
            "criterion": told["criterion"],
            "block_rule": told["block_rule"],
            "gps": sorted(told["gps"]),
        }
    )


def counts(parts: list[str]) -> dict[str, int]:
    """Return how many labelled frames are in which part; those in none had a force beyond the limit."""
    found = Counter(parts)
    return {
        "n_labelled": len(parts),
        "n_learned": found["train"],
        "n_val": found["val"],
        "n_held_out": found["test"],
        "n_dropped": found[""],
    }


def errors_of(predictions: orm.ArrayData, frame_ids: list[str]) -> dict[str, dict[str, float]] | None:
    """Return the errors on some of the test frames, by config type and over all; None if there are none.

    :param predictions: arrays of the output ``predictions`` of `seireact.allegro`; energies there are per atom.
    """
    n_atoms = predictions.get_array("n_atoms")
    chosen = np.isin(predictions.get_array("frame_ids"), frame_ids)
    if not chosen.any():
        return None
    rows = np.repeat(chosen, n_atoms)

    def columns(kind: str) -> dict[str, NDArray[np.float64]]:
        return {
            "energy": (predictions.get_array(f"energy_{kind}") * n_atoms)[chosen],
            "forces": predictions.get_array(f"forces_{kind}")[rows],
            "stress": predictions.get_array(f"stress_{kind}")[chosen],
        }

    return errors_by_type(
        predictions.get_array("config_type")[chosen],
        np.concatenate([[0], np.cumsum(n_atoms[chosen])]),
        columns("predicted"),
        columns("reference"),
    )


@calcfunction
def other_seeds(**runs: orm.Dict) -> dict[str, orm.Dict]:
    """Return the settings of runs with the next seed of the velocities: a further round goes elsewhere.

    :param runs: settings of `seireact.lammps` by name of the run.
    """
    changed = {}
    for name, parameters in runs.items():
        settings = parameters.get_dict()
        if (seed := settings["md"].get("velocity_seed")) is not None:
            settings["md"]["velocity_seed"] = seed + 1
        changed[name] = orm.Dict(settings)
    return changed


@calcfunction
def summarise_rounds(parameters: orm.Dict, **told: orm.Dict) -> orm.Dict:
    """Return what each round cost and gained, and why there was no further.

    :param parameters: `formats.jobs.augment.RoundsSettings`.
    :param told: ``augmentation_01``, ``metrics_01`` and, where there was a scorecard, ``verdict_01``, … of each round.
    """
    settings = RoundsSettings.model_validate(parameters.get_dict())
    rows: list[dict[str, Any]] = []
    for key in sorted(key for key in told if key.startswith("augmentation_")):
        number = key.removeprefix("augmentation_")
        augmentation, metrics, verdict = told[key], told[f"metrics_{number}"], told.get(f"verdict_{number}")
        rows.append(
            {
                "round": int(number),
                "cost": {
                    "n_labels": augmentation["n_labelled"],
                    "md_atom_steps": sum(run["n_atoms"] * (run["steps"] or 0) for run in augmentation["runs"].values()),
                    "training_frames_times_epochs": metrics["n_frames"]["train"] * metrics["n_epochs"],
                },
                "held_out": _change(augmentation["held_out"]),
                "old_test": _change(augmentation["old_test"]),
                "n_learned": augmentation["n_learned"],
                "decision": None if verdict is None else verdict["decision"],
                "failed_lines": None
                if verdict is None
                else [line["name"] for line in verdict["lines"] if not line["passed"]],
            }
        )
    used = sum(row["cost"]["n_labels"] for row in rows)
    last = told[f"augmentation_{rows[-1]['round']:02d}"]
    asked = sum(sum(run["asked"].values()) for run in last["runs"].values())
    if rows[-1]["decision"] == "production":
        ended_by = "the scorecard holds"
    elif len(rows) >= settings.max_rounds:
        ended_by = f"all {settings.max_rounds} rounds are used"
    elif not settings.has_room(len(rows), used, asked):
        ended_by = f"{used} of {settings.max_labels} labels are used, and a further round could ask for more"
    else:
        # A round that failed gives nothing, and hours are no content: which it was the process itself says.
        ended_by = "no further round was begun within its hours, or came to its end"
    return orm.Dict({"ended_by": ended_by, "n_rounds": len(rows), "n_labels": used, "rounds": rows})


def _change(errors: dict[str, Any]) -> dict[str, Any]:
    """Return the force and energy errors over all frames before and after."""
    return {
        when: None
        if errors[when] is None
        else {key: errors[when]["all"][key] for key in ("force_rmse_ev_per_ang", "energy_rmse_mev_per_atom")}
        for when in ("before", "after")
    }
