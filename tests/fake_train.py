"""A stand-in for seireact-train that answers in a moment: the same files, an epoch a job if it has a time limit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from aiida_seireact.formats.checkpoint import CheckpointError, unpack_checkpoint
from aiida_seireact.formats.frames import Frames
from tests.checkpoints import checkpoint_file


def main() -> None:
    """Do what the settings say, or fail if they say so."""
    job = json.loads(Path("job.json").read_text())
    settings = job["settings"]
    outcome = {"status": "ok", "error": None, "outputs": {}, "seconds": 1.0}
    try:
        totals = list(unpack_checkpoint(job["checkpoint"], Path.cwd())["val_total"]) if "checkpoint" in job else []
    except CheckpointError as error:
        outcome = {"status": "failed", "error": {"kind": "checkpoint_lost", "message": str(error)}}
        Path("result.json").write_text(json.dumps(outcome))
        return
    if settings["lr"] > 0.5:
        outcome = {"status": "failed", "error": {"kind": "diverged", "message": "not a number from epoch 0 on."}}
    elif settings["seed"] == 13:
        outcome = {"status": "failed", "error": {"kind": "invalid_input", "message": "an unlucky number."}}
    elif settings["batch_size"] > 4:
        outcome = {"status": "failed", "error": {"kind": "out_of_memory", "message": "too large a batch."}}
    else:
        new = 1 if settings.get("max_time_s") else settings["max_epochs"] - len(totals)
        totals += [1.0 / (len(totals) + number + 1) for number in range(new)]
        outcome["outputs"] = finish(job, settings, totals)
    Path("result.json").write_text(json.dumps(outcome))


def finish(job: dict, settings: dict, totals: list[float]) -> dict:
    """Write the files of a training that came to these errors and return the outputs."""
    checkpoint_file(Path.cwd(), *totals)
    Path("model.nequip.zip").write_bytes(f"model of seed {settings['seed']}".encode())
    Path("curve.json").write_text(json.dumps({"epoch": list(range(len(totals))), "val_total": totals, "lr": totals}))
    Path("config.yaml").write_text("")
    Path("nequip.log").write_text("")
    errors = None
    for name, file in sorted(job["test"].items()):
        frames = Frames.load(file)
        noise = np.random.default_rng(settings["seed"]).normal(scale=0.1, size=frames.forces.shape)
        columns = {key: np.asarray(getattr(frames, key)) for key in ("energy", "forces", "stress")}
        columns |= {f"{key}_reference": value for key, value in columns.items()}
        columns["forces"] = columns["forces"] + noise
        np.savez(
            "predictions.npz",
            offsets=frames.offsets,
            config_type=np.full(len(frames), name),
            frame_ids=np.array(frames.frame_ids),
            **columns,
        )
        row = {"energy_rmse_mev_per_atom": 2.0, "force_rmse_ev_per_ang": 0.1}
        errors = {name: row, "all": row}
    return {
        "errors": errors,
        "errors_before": None,
        "validation": {"val_total": min(totals)},
        "best_epoch": int(np.argmin(totals)),
        "n_epochs": len(totals),
        "done": len(totals) >= settings["max_epochs"],
        "learner": "allegro",
        "n_frames": {},
        "species": job["species"],
        "r_max_ang": 4.5,
        "model_hash": f"{settings['seed']}-{len(totals)}",
        "model_versions": {},
    }


main()
