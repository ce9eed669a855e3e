"""One run of nequip-train: watched, understood when it fails, its best epoch packaged and tested."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.checkpoint import BEST, LAST, CheckpointError, Curve, joined, write_checkpoint
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import CheckpointLost, Diverged, MissingPackage, OutOfMemory, ProgramFailed
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.formats.model import ModelFileError, PackageCard, read_package_card
from aiida_seireact.formats.train_settings import TrainSettings
from aiida_seireact.formats.training_log import read_curve
from aiida_seireact.programs._gpu import require_gpu
from aiida_seireact.programs._kernel_kills import memory_kills
from aiida_seireact.programs._nequip import run_script
from aiida_seireact.programs._program import Progress
from aiida_seireact.programs.potentials import calculator_of
from aiida_seireact.science.metrics import errors_by_type

PREVIOUS_FOLDER = "previous"
CHECKPOINT_EVERY_S = 300.0
"""A job that is killed loses this much work at most, and the epoch it was in."""
STOPPED_EARLY = "stopped_early"
"""Told by the checkpoint of a training that ended before its last epoch by itself: its patience was over."""

# torch of a GPU, of the CPU, and Python.
_NO_MEMORY = re.compile(
    r"(?P<gpu>CUDA out of memory|OutOfMemoryError|CUDA error: out of memory)|can't allocate memory|^MemoryError",
    re.MULTILINE,
)
# nequip 0.19 leaves NaN out of its errors by species and then divides by no species at all.
_NOT_A_NUMBER = "num_contributing_types"
_UNREADABLE = re.compile(
    r"UnpicklingError|PytorchStreamReader failed|Error\(s\) in loading state_dict|KeyError: 'run_stage'"
)


def require_machine(settings: TrainSettings) -> None:
    """Refuse a machine that lacks what the settings ask for.

    :raises InvalidInput: no GPU, or fewer than asked for.
    :raises MissingPackage: no cuEquivariance.
    """
    if settings.device == "gpu":
        require_gpu("settings.device is gpu", "take device cpu", count=settings.devices)
    if settings.acceleration == "cuequivariance" and importlib.util.find_spec("cuequivariance_torch") is None:
        raise MissingPackage(
            "settings.acceleration is cuequivariance, which is not installed here: pip install cuequivariance-torch "
            "cuequivariance-ops-torch-cu12, or take acceleration none."
        )


class Training:
    """A run of nequip-train in a folder, from the beginning or from a checkpoint.

    :param work: its folder, with frames, configuration and, to go on, the unpacked checkpoint.
    :param folder: of the job, for what is kept.
    :param total: epochs of the whole training.
    :param before: the curve up to the checkpoint, None to begin.
    :param origin: which training it is, for its checkpoints.
    """

    def __init__(
        self,
        job: TrainJob,
        work: Path,
        folder: Path,
        total: int,
        progress: Progress,
        before: Curve | None,
        origin: Mapping[str, Any],
    ) -> None:
        self._job, self._work, self._folder, self._total = job, work, folder, total
        self._progress, self._before, self._origin = progress, before, origin
        self._log = folder / files.NEQUIP_LOG
        self._shown = 0
        self._first = (0, 0.0)
        self._kept = time.monotonic()
        self.curve: Curve = before or {}

    def run(self) -> bool:
        """Train, leave a checkpoint in the job's folder, and return whether the training is at its end.

        :raises CheckpointLost, Diverged, OutOfMemory, ProgramFailed: see `programs.train.run`.
        """
        done = 0 if self._before is None else len(self._before["epoch"])
        if done >= self._total or self._origin.get(STOPPED_EARLY, False):
            # Nothing to do, and lightning would write no checkpoint; its patience would be over an epoch later.
            self._keep()
            return True
        self._progress(f"training: {self._total - done} epochs" + f", from epoch {done} on" * (done > 0))
        command = ["nequip-train", "-cp", str(self._work.resolve()), "-cn", files.NEQUIP_CONFIG]
        kills = memory_kills()
        try:
            run_script(command, self._work, self._log, threads=self._job.num_threads, watch=self._watch)
        except ProgramFailed as error:
            raise self._understood(error, memory_kills() > kills) from error
        self._watch()
        self._check()
        whole = len(self.curve["epoch"]) >= self._total
        if not whole and not self._out_of_time():
            self._origin = {**self._origin, STOPPED_EARLY: True}
        self._keep()
        return whole or not self._out_of_time()

    def package(self) -> PackageCard:
        """Package the best epoch of the whole training into the job's folder.

        nequip's best.ckpt knows only the epochs of its own run; where an earlier one was better, that one is taken.
        """
        (self._folder / files.PACKAGE).unlink(missing_ok=True)
        best = str(self._best().relative_to(self._work))
        run_script(
            ["nequip-package", "build", best, files.PACKAGE], self._work, self._folder / "package.log", threads=1
        )
        (self._work / files.PACKAGE).replace(self._folder / files.PACKAGE)
        try:
            return read_package_card(self._folder / files.PACKAGE)
        except ModelFileError as error:
            raise ProgramFailed(f"nequip-package left no usable package: {error}") from error

    # ------------------------------------------------------------ while it runs
    def _read(self) -> Curve:
        curve = read_curve(self._work / "csv" / "metrics.csv")
        return curve if self._before is None else joined(self._before, curve)

    def _watch(self) -> None:
        self.curve = self._read()
        done = len(self.curve["epoch"])
        if done <= self._shown:
            return
        now = time.monotonic()
        # The start-up is not an epoch: the pace is counted from the first one seen.
        self._first = self._first if self._first[0] else (done, now)
        self._shown = done
        left = (now - self._first[1]) / max(done - self._first[0], 1) * (self._total - done)
        error = self.curve["val_forces_rmse_ev_ang"][-1]
        remaining = f"{left:.0f} s left" if done > self._first[0] else "time left not known yet"
        self._progress(f"epoch {done}/{self._total}, validation force error {error:.3f} eV/Å, {remaining}")
        if now - self._kept > CHECKPOINT_EVERY_S and np.isfinite(self.curve["val_total"]).all():
            # nequip may be about to write them; the next time will do.
            with suppress(CheckpointError):
                self._keep()
                self._kept = now

    def _keep(self) -> None:
        """Write the file that a later job goes on from."""
        last = self._work / LAST
        if not last.is_file():
            last = self._work / PREVIOUS_FOLDER / LAST
        write_checkpoint(self._folder / files.CHECKPOINT, last, self._best(), self.curve, self._origin)

    def _best(self) -> Path:
        before = self._before
        if before is not None and np.nanmin(before["val_total"]) <= np.nanmin(self.curve["val_total"]):
            return self._work / PREVIOUS_FOLDER / BEST
        return self._work / BEST

    # ------------------------------------------------------------ how it ended
    def _out_of_time(self) -> bool:
        # Our own words, or those of lightning's timer, which an override may ask for.
        return "ime limit reached" in self._log.read_text(errors="replace")

    def _understood(self, error: ProgramFailed, killed_for_memory: bool) -> ProgramFailed:
        """Return what a failure of nequip-train means.

        Anybody may kill a process: only the kernel's count, or words of torch, say that it was for memory.
        """
        text = self._log.read_text(errors="replace")
        before = 0 if self._before is None else len(self._before["epoch"])
        self.curve = self._read()
        if len(self.curve["epoch"]) > before and np.isfinite(self.curve["val_total"]).all():
            with suppress(CheckpointError, OSError):
                self._keep()
        told = _NO_MEMORY.search(text)
        if told or ("SIGKILL" in str(error) and killed_for_memory):
            # A log names CUDA also where the memory of the machine was short.
            where = "The memory of the GPU" if told and told["gpu"] else "The memory of the machine"
            return OutOfMemory(f"{where} is too small for batches of {self._job.settings.batch_size} frames: {error}")
        if _NOT_A_NUMBER in text:
            return self._diverged(len(self.curve["epoch"]))
        if self._before is not None and self._shown <= len(self._before["epoch"]) and _UNREADABLE.search(text):
            return CheckpointLost(f"nequip-train can't go on from the checkpoint: {error}")
        return error

    def _check(self) -> None:
        curve = self.curve
        bad = ~np.isfinite(curve["val_total"]) | ~np.isfinite(curve["train_loss"])
        if bad.any():
            raise self._diverged(int(curve["epoch"][np.argmax(bad)]))
        if not len(curve["epoch"]):
            if self._out_of_time():
                raise ProgramFailed(
                    f"The time limit of {self._job.settings.max_time_s} s was reached before the first epoch ended: "
                    "raise `max_time_s` or train on fewer frames."
                )
            raise ProgramFailed(f"nequip-train ended without one epoch in metrics.csv; its log is {self._log.name}.")
        if not self._best().is_file():
            raise ProgramFailed(f"nequip-train left no best.ckpt although it ran; its log is {self._log.name}.")

    def _diverged(self, epoch: int) -> Diverged:
        # What was kept meanwhile leads into the same hole; the best weights, with smaller steps, need not.
        (self._folder / files.CHECKPOINT).unlink(missing_ok=True)
        if np.isfinite(self.curve["val_total"]).any() and self._best().is_file():
            self._progress("packaging what was best before it ran away")
            with suppress(ProgramFailed):
                self.package()
            sound = np.isfinite(self.curve["val_total"])
            self.curve = {name: values[sound] for name, values in self.curve.items()}
        return Diverged(
            f"The training diverged: its loss is not a number from epoch {epoch} on. Lower `lr` (now "
            f"{self._job.settings.lr}) or look for frames with huge forces."
        )


def errors_of_package(
    package: Path, tests: Mapping[str, Frames], target: Path, settings: TrainSettings, threads: int
) -> dict[str, dict[str, float]]:
    """Predict all test frames with a package, write reference and prediction; return the errors by type and overall.

    The package itself is asked, in this process: nequip's own test stage would pad the frames over several devices.
    """
    import torch

    torch.set_num_threads(threads)
    calculator: Any = calculator_of(package, "nequip-package", device="cuda" if settings.device == "gpu" else "cpu")
    reference = list(tests.values())
    found: dict[str, list[NDArray[np.float64]]] = {"energy": [], "forces": [], "stress": []}
    for frames in reference:
        for atoms in frames.iter_atoms():
            for key, values in found.items():
                values.append(np.atleast_1d(np.asarray(calculator.get_property(key, atoms), dtype=np.float64)))
    predicted = {
        "energy": np.concatenate(found["energy"]),
        "forces": np.concatenate(found["forces"]),
        "stress": np.stack(found["stress"]),
    }
    labels = {key: np.concatenate([getattr(frames, key) for frames in reference]) for key in predicted}
    types = np.concatenate([np.full(len(frames), name) for name, frames in tests.items()])
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([frames.n_atoms for frames in reference]))])
    columns = {
        "offsets": offsets,
        "numbers": np.concatenate([frames.numbers for frames in reference]),
        "config_type": types,
        "frame_ids": np.concatenate([frames.frame_ids for frames in reference]),
        **predicted,
        **{f"{key}_reference": values for key, values in labels.items()},
    }
    with write_atomically(target) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **columns)
    return errors_by_type(types, offsets, predicted, labels)
