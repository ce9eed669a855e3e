"""``seireact.flare``: one leg of on-the-fly learning: learn the new labels, MD until unsure (``seireact-flare``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.flare import LegSettings


class FlareCalculation(ProgramCalculation):
    """Labels so far, GP and exact state of the last leg in; GP, state, and the frames to label out.

    The state travels as a node, never as a remote folder, so a leg goes on where the last one stood though its scratch
    is long gone, and a killed leg starts again from the same inputs.
    """

    PARSER = "seireact.flare"
    RETRIEVE_TEMPORARY = (files.SGP, files.STATE, files.ASKED, files.VISITED, files.TRACE, files.CANARY)
    CACHE_VERSION = 3

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(LegSettings),
            help="The condition: the keys of `settings` of a `seireact-flare` job. `seireact-flare --help` explains.",
        )
        spec.input(
            "start",
            valid_type=FramesData,
            validator=validate_start,
            help="One frame, from which the condition starts; every leg is given the same.",
        )
        spec.input_namespace(
            "labels",
            valid_type=FramesData,
            dynamic=True,
            help="`round_000`: the labelled frames to start from; `round_001`, …: the labels of the frames that each "
            "leg asked for, in order.",
        )
        spec.input("gp", valid_type=PotentialData, required=False, help="What the last leg knew; none: the first leg.")
        spec.input("state", valid_type=orm.ArrayData, required=False, help="Where the last leg ended.")
        spec.input(
            "lmp",
            valid_type=orm.InstalledCode,
            required=False,
            help="A LAMMPS with FLARE's plugin on the computer of `code`, for the engine `lammps`; unverified. It is "
            "started within the job, on one rank; what its code says to do before goes into `prepend_text` of `code`.",
        )
        spec.input(
            "detour",
            valid_type=orm.Int,
            required=False,
            validator=validate_detour,
            help="How many times the run came back to this state because the label it then asked for could not be had; "
            "each draws other random numbers, and so reaches another frame. None: 0.",
        )
        spec.input(
            "reference_energies",
            valid_type=orm.Dict,
            required=False,
            help="`energies_ev`: energy of an atom of each species, eV; default: fitted to the first labels.",
        )
        spec.inputs.validator = validate_leg
        spec.output("gp", valid_type=PotentialData, help="The sparse GP after learning: arrays, no pickle.")
        spec.output("state", valid_type=orm.ArrayData, help="Where the leg ended, exact to the last bit.")
        spec.output(
            "asked",
            valid_type=FramesData,
            required=False,
            help="Frames to label; if the leg stopped because it was unsure, the last one is why.",
        )
        spec.output("visited", valid_type=FramesData, required=False, help="Frames along the way, for a look.")
        spec.output("trace", valid_type=orm.ArrayData, help="By MD step: uncertainty, temperature, volume, energy.")
        spec.output(
            "canary",
            valid_type=orm.ArrayData,
            help="Of the new labels, before they were learned: uncertainty and error of each atom.",
        )
        spec.exit_code(
            426,
            "ERROR_TOO_LITTLE_MEMORY",
            message="What the leg has to learn will not fit into memory: {message}",
            invalidates_cache=True,
        )
        spec.output("leg", valid_type=orm.Dict, help="How the leg went: status, steps, what was learned, errors.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = {"settings": self.inputs.parameters.get_dict(), "start": files.START, "labels": []}
        self.inputs.start.frames.save(folder / files.START)
        for name in sorted(self.inputs.labels):
            job["labels"].append(f"{name}.npz")
            self.inputs.labels[name].frames.save(folder / f"{name}.npz")
        if "gp" in self.inputs:
            job.update(gp=files.LAST_SGP, state=files.LAST_STATE)
            with self.inputs.gp.open(mode="rb") as source:
                (folder / files.LAST_SGP).write_bytes(source.read())
            state = self.inputs.state
            with (folder / files.LAST_STATE).open("wb") as stream:
                np.savez(stream, **{name: state.get_array(name) for name in sorted(state.get_arraynames())})
        if "lmp" in self.inputs:
            job["lammps"] = str(self.inputs.lmp.filepath_executable)
        if "detour" in self.inputs:
            job["detour"] = self.inputs.detour.value
        if "reference_energies" in self.inputs:
            job["energies_ev"] = self.inputs.reference_energies["energies_ev"]
        return job


def validate_start(start: FramesData | None, _: Any) -> str | None:
    """Refuse anything but one periodic frame."""
    if start is None:
        return None
    if len(start) != 1:
        return f"A condition starts from one frame, but {len(start)} are given: choose one."
    if not start.frames.pbc.all():
        return "The start frame is not periodic in all directions: set pbc=True and give a cell."
    return None


def validate_detour(detour: orm.Int | None, _: Any) -> str | None:
    """Refuse a negative count."""
    if detour is not None and detour.value < 0:
        return f"A run goes back 0 times or more, not {detour.value}."
    return None


def validate_seeds(labelled: FramesData, start: FramesData) -> str | None:
    """Refuse frames a GP of the species of ``start`` can't learn from."""
    if not labelled.has_stress:
        return "a GP learns from labels, but these frames have no energy, forces and stress: label them"
    unknown = sorted(set(labelled.base.attributes.get("species")) - set(start.base.attributes.get("species")))
    if unknown:
        return f"they hold {', '.join(unknown)}, which the cell does not: leave these frames out"
    return None


def validate_engine(settings: Mapping[str, Any], inputs: Mapping[str, Any]) -> str | None:
    """Refuse settings of legs with the engine `lammps` without its code, and one on another computer."""
    if settings.get("engine") == "lammps" and "lmp" not in inputs:
        return "The engine `lammps` needs a LAMMPS with FLARE's plugin as `lmp`: give its code, or take `ase`."
    if "lmp" in inputs and "code" in inputs and inputs["lmp"].computer.uuid != inputs["code"].computer.uuid:
        return f"lmp is on {inputs['lmp'].computer.label}, code on {inputs['code'].computer.label}: take one computer."
    return None


def validate_leg(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse inputs that fit each alone but not together."""
    if ("gp" in inputs) != ("state" in inputs):
        return "gp and state of the last leg belong together: give both or none."
    if "gp" in inputs and inputs["gp"].kind != "sgp":
        return f"gp is an {inputs['gp'].kind}, not a sparse GP of FLARE: take the output `gp` of the last leg."
    settings = inputs["parameters"].get_dict() if "parameters" in inputs else {}
    if message := validate_engine(settings, inputs):
        return message
    if "lmp" in inputs and settings.get("engine") != "lammps":
        return "lmp is for the engine `lammps`, and parameters ask for another: leave it out, or set `engine`."
    labels = inputs.get("labels", {})
    if not labels:
        return "A GP starts from labels: give labelled frames as `labels.round_000`."
    levels = set()
    for name, shard in labels.items():
        if "start" in inputs and (message := validate_seeds(shard, inputs["start"])):
            return f"labels.{name}: {message}."
        levels.add(shard.base.attributes.get("settings_hash"))
    if len(levels) > 1:
        names = ", ".join(sorted(level[:12] for level in levels))
        return f"These labels were made with different settings ({names}): a GP has one level of theory."
    return None
