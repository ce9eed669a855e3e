"""``seireact-compile``: a package → machine code for one target, device and torch version."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path
from typing import Any

from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.model import (
    ModelFileError,
    read_compiled_card,
    read_package_card,
    write_card_into_compiled,
)
from aiida_seireact.programs._gpu import require_gpu
from aiida_seireact.programs._nequip import run_script
from aiida_seireact.programs._program import Progress, program

EXAMPLE = """
{"model": "model.nequip.zip", "target": "pair_allegro", "device": "cpu", "cache_dir": "/scratch/inductor"}
"""


def run(job: CompileJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Compile a packaged Allegro model for LAMMPS, ASE or batches of frames.

    Writes model.nequip.pt2, which carries its own card (torch version, hash of the package), and compile.log.

    :raises InvalidInput: not a whole package, or no GPU to compile for.
    :raises MissingPackage: no C++ compiler, or no nequip.
    :raises ProgramFailed: nequip-compile's own error, or killed.
    """
    try:
        package = read_package_card(folder / job.model)
    except ModelFileError as error:
        raise InvalidInput(str(error)) from error
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise MissingPackage(
            f"There is no C++ compiler {compiler!r} here, which nequip-compile needs: install g++ 11 or "
            "newer "
            "(apt-get install g++, module load gcc) or set CXX."
        )
    if job.device == "cuda":
        require_gpu("device cuda compiles for the GPU that it runs on", "take device cpu")
    (folder / files.COMPILED).unlink(missing_ok=True)
    command = ["nequip-compile", job.model, files.COMPILED, "--mode", "aotinductor"]
    command += ["--device", job.device, "--target", job.target]
    if job.modifiers:
        command += ["--modifiers", *job.modifiers]
    if job.tf32:
        command.append("--tf32")
    environment = {}
    if job.cache_dir is not None:
        Path(job.cache_dir).mkdir(parents=True, exist_ok=True)
        environment = {"TORCHINDUCTOR_CACHE_DIR": str(Path(job.cache_dir).resolve())}
    progress(f"compiling {job.model} for {job.target} on {job.device}: about a minute")
    run_script(command, folder, folder / files.COMPILE_LOG, environment=environment)
    versions = {name: importlib.metadata.version(name) for name in ("nequip", "nequip-allegro", "torch")}
    try:
        write_card_into_compiled(
            folder / files.COMPILED,
            {"torch_version": versions["torch"], "package_hash": package.model_hash, "versions": versions},
        )
        card = read_compiled_card(folder / files.COMPILED)
    except ModelFileError as error:
        raise ProgramFailed(f"nequip-compile left no usable model: {error}") from error
    return {"files": [files.COMPILED], **card.as_dict()}


main = program("seireact-compile", CompileJob, run, packages=("nequip", "nequip-allegro", "torch"), example=EXAMPLE)

if __name__ == "__main__":
    main()
