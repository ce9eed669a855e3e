"""What a scorecard asks for as nodes, and the verdict that follows from its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.calculations.engines import md_engine
from aiida_seireact.calculations.run_facts import settings_of
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.validate import cells_by_line
from aiida_seireact.formats.scorecard import Scorecard, read_scorecard
from aiida_seireact.formats.scores import scores_from_dict
from aiida_seireact.formats.small import refuse_atoms
from aiida_seireact.formats.verdict import content_of, judged
from aiida_seireact.science.structures.library import within
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.science.validation.lines import AskedRun, Phases

CELL, MD, HANDED_IN = "cell_", "md_", "run_"


@calcfunction
def library_phases(potential: PotentialData) -> FramesData:
    """Return the smallest ordered cell of each phase of the library that the elements of a model can form."""
    return FramesData(Frames.from_atoms(phase_cells(within(potential.species))))


@calcfunction
def plan_validation(
    scorecard: orm.Dict,
    evaluate: orm.Dict,
    phases: FramesData | None = None,
    md: orm.Dict | None = None,
    label: orm.Dict | None = None,
    engine: orm.Str | None = None,
    **runs: TrajectoryData | FramesData,
) -> dict[str, orm.Data]:
    """Return what the lines ask for.

    :param evaluate: what the job that measures is told beside that.
    :param phases: a cell a phase, its name as config type.
    :param md: settings of a segment that the requests for runs of the model are laid over.
    :param label: settings of the labels, that the requests for runs of the labeller are laid over.
    :param engine: that labels; it is named where runs of the labeller are to be made.
    :param runs: those that are handed in, ``run_`` before their names.
    :returns: ``parameters`` of the job that measures; ``frames``, each cell to label once; ``runs``, what was asked of
        each run; for each run to be made ``cell_<name>`` and its settings ``md_<name>``; and ``md_engine``, the
        labeller's engine of MD.
    :raises ValueError: a phase that is not there, or too many atoms.
    """
    card, cells = read_scorecard(scorecard.get_dict()), cells_of(phases)
    frames = frames_asked(card, cells)
    asked = runs_asked(card, cells)
    runs = {name.removeprefix(HANDED_IN): run for name, run in runs.items()}
    outputs: dict[str, orm.Data] = {"runs": orm.Dict({name: told(run) for name, run in sorted(asked.items())})}
    if frames is not None:
        refuse_atoms(len(frames.numbers))
        outputs["frames"] = FramesData(frames)
    if engine is not None and any(run.by == "labeller" for run in asked.values()):
        outputs["md_engine"] = orm.Str(md_engine(engine.value))
    settings = {}
    for name, run in asked.items():
        settings[name] = settings_asked(run)
        if name in runs:
            given = runs[name]
            settings[name] = settings_of(given) if isinstance(given, TrajectoryData) else settings[name]
            continue
        if run.atoms is None:
            raise ValueError(f"The run {name} must be handed in.")
        run.atoms.info.update(config_type=run.subject, group=f"validate/{name}")
        outputs[f"{CELL}{name}"] = FramesData.from_ase([run.atoms], labels="ignore")
        by_model = run.by == "model"
        given_settings = md if by_model else label
        base = {} if given_settings is None else given_settings.get_dict()
        outputs[f"{MD}{name}"] = orm.Dict(segment_of(run, base) if by_model else reference_of(run, base))
    parameters = {
        **evaluate.get_dict(),
        "scorecard": scorecard.get_dict(),
        "asked": {name: [cell.model_dump() for cell in found] for name, found in cells_by_line(card, cells).items()},
        "runs": settings,
    }
    return {**outputs, "parameters": orm.Dict(parameters)}


@calcfunction
def judge(
    scorecard: orm.Dict, scores: orm.Dict, potential: PotentialData, dataset: DatasetData | None = None
) -> orm.Dict:
    """Return the verdict on a model (`formats.verdict`).

    :raises ValueError: scores of another model, scorecard or dataset.
    """
    card, found = read_scorecard(scorecard.get_dict()), scores.get_dict()
    hashes = {
        "model": (found["model_hash"], potential.model_hash),
        "scorecard": (found["scorecard_hash"], card.content_hash),
        "dataset": (found["dataset_hash"], "" if dataset is None else dataset.content_hash),
    }
    for name, (of_scores, own) in hashes.items():
        if of_scores != own:
            raise ValueError(f"These scores are of {name} {of_scores[:12]}, not of {own[:12]}.")
    verdict = judged(
        card,
        scores_from_dict(found["scores"]),
        model_hash=potential.model_hash,
        settings_hash=found["settings_hash"],
        dataset_hash=found["dataset_hash"],
    )
    return orm.Dict(content_of(verdict))


# ---------------------------------------------------------------- what the lines ask for
def cells_of(phases: FramesData | None) -> Phases:
    """Return the cells of the phases by name.

    :raises ValueError: frames without a name, or two of one.
    """
    found = {}
    for atoms in [] if phases is None else phases.frames.without_labels().iter_atoms():
        name = atoms.info.get("config_type", "")
        if not name or name in found:
            raise ValueError(f"Each phase is one frame with its name as config type; {name or 'no name'} is not.")
        atoms.info.clear()
        found[name] = atoms
    return found


def frames_asked(card: Scorecard, phases: Phases) -> Frames | None:
    """Return each cell that the lines ask for once; None if they ask for nothing.

    :raises ScorecardError: a phase that is not there.
    """
    images = []
    for name, cells in card.static(phases).items():
        for index, cell in enumerate(cells):
            atoms = cell.atoms.copy()
            atoms.info = {"config_type": cell.subject, "group": f"validate/{name}/{cell.subject}/{index}"}
            images.append(atoms)
    if not images:
        return None
    frames = Frames.from_atoms(images, labels="ignore")
    first = {structure_id: index for index, structure_id in reversed(list(enumerate(frames.structure_ids)))}
    return frames.select(sorted(first.values()))


def runs_asked(card: Scorecard, phases: Phases) -> dict[str, AskedRun]:
    """Return the MD runs that the lines ask for, by name.

    :raises ScorecardError: a phase that is not there, or one name for two unlike runs.
    """
    return {run.name: run for runs in card.runs(phases).values() for run in runs}


def told(run: AskedRun) -> dict[str, Any]:
    """Return a request as plain values."""
    settings = {key: value for key, value in vars(run).items() if key not in ("atoms", "name")}
    return {**settings, "n_atoms": 0 if run.atoms is None else len(run.atoms), "handed_in": run.atoms is None}


def settings_asked(run: AskedRun) -> dict[str, Any]:
    """Return what the job that measures is told of a run that is made as it was asked for."""
    return {
        "by": run.by,
        "timestep_fs": run.timestep_fs,
        "temperature_k": run.temperature_k,
        "pressure_gpa": run.pressure_gpa if run.ensemble == "npt" and run.by == "model" else None,
    }


def reference_of(run: AskedRun, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with which the labeller makes a run: one time block, so no frame is left out.

    :param base: its level of theory.
    """
    md = {
        "steps": run.steps,
        "temperature_k": run.temperature_k,
        "timestep_fs": run.timestep_fs,
        "seed": run.seed,
        "label_every": run.frames_every,
        "block_steps": run.steps,
        "gap_steps": 0,
    }
    return {**base, **({"task": "md"} if "task" in base else {}), "md": {**base.get("md", {}), **md}}


def segment_of(run: AskedRun, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a segment that makes a run.

    :param base: settings that the request does not tell: damping times, stop rule.
    """
    asked = {
        "ensemble": run.ensemble,
        "steps": run.steps,
        "timestep_fs": run.timestep_fs,
        "temperature_k": run.temperature_k,
        "temperature_end_k": None,
        "pressure_gpa": run.pressure_gpa,
        "dump_every": run.frames_every,
        "velocity_seed": run.seed,
    }
    engine = base.get("engine", {})
    # Looked at with every frame: a model that fails is to be stopped and told, not to crash its program.
    return {
        **base,
        "md": {**base.get("md", {}), **asked},
        "engine": {**engine, "check_every": min(run.frames_every, engine.get("check_every", run.frames_every))},
    }
