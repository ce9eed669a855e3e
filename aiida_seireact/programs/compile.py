"""``seireact-compile``: a package → machine code for one target, device and torch version."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.model import (
    ModelFileError,
    PackageCard,
    read_compiled_card,
    read_package_card,
    write_card_into_compiled,
)
from aiida_seireact.formats.pair_files import read_pair_file
from aiida_seireact.programs._gpu import cuda_capability, require_gpu
from aiida_seireact.programs._nequip import run_script
from aiida_seireact.programs._program import Progress, program

# modifier, the module it needs, and how that is installed
KERNELS = (
    ("enable_TritonContracter", "triton", "triton"),
    ("enable_CuEquivarianceContracter", "cuequivariance_torch", "cuequivariance-torch cuequivariance-ops-torch-cu12"),
)

EXAMPLE = """
{"model": "model.nequip.zip", "target": "pair_allegro", "device": "cpu", "cache_dir": "/scratch/inductor"}
"""


def run(job: CompileJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Compile a packaged model for LAMMPS, ASE or batches of frames.

    Writes model.nequip.pt2, which carries its own card (torch version, hash of the package), or for the target mliap
    model.nequip.lmp.pt, and compile.log. The frames it was trained on are not needed.

    :raises InvalidInput: not a whole package, or no GPU to compile for.
    :raises MissingPackage: no C++ compiler, or no nequip.
    :raises ProgramFailed: nequip-compile's own error, or killed.
    """
    try:
        package = read_package_card(folder / job.model)
    except ModelFileError as error:
        raise InvalidInput(str(error)) from error
    _require(job, package)
    environment = {}
    if job.cache_dir is not None:
        Path(job.cache_dir).mkdir(parents=True, exist_ok=True)
        environment = {"TORCHINDUCTOR_CACHE_DIR": str(Path(job.cache_dir).resolve())}
    versions = {name: importlib.metadata.version(name) for name in ("nequip", "nequip-allegro", "torch")}
    target = folder / (files.MLIAP if job.target == "mliap" else files.COMPILED)
    target.unlink(missing_ok=True)
    progress(f"compiling {job.model} for {job.target} on {job.device}: about a minute")
    run_script(_command(job, target.name), folder, folder / files.COMPILE_LOG, environment=environment)
    capability = cuda_capability() if job.device == "cuda" else ""
    known = {"torch_version": versions["torch"], "package_hash": package.model_hash, "versions": versions}
    try:
        if job.target == "mliap":
            file = read_pair_file(target, "nequip-mliap", package.species)
            told = {
                "species": file.species,
                "r_max_ang": package.r_max_ang,
                "compiled_hash": file.sha256,
                "cpu_isa": "",
            }
            made_for = {"target": job.target, "device": job.device, "cuda_capability": capability}
            return {"files": [target.name], **told, **made_for, **known}
        write_card_into_compiled(target, known)
        card = read_compiled_card(target)
    except ModelFileError as error:
        raise ProgramFailed(f"nequip-compile left no usable model: {error}") from error
    return {"files": [target.name], **card.as_dict(), "cuda_capability": capability}


def _require(job: CompileJob, package: PackageCard) -> None:
    """Refuse what this machine or this network can't do, before a minute is spent."""
    if package.learner == "nequip" and job.target == "pair_allegro":
        raise InvalidInput(
            f"{job.model} is a NequIP network, which passes messages beyond its cutoff; pair_style allegro does not: "
            "compile it for the target ase, or for mliap."
        )
    if job.modifiers and job.device != "cuda":
        raise InvalidInput(f"{', '.join(job.modifiers)} is for GPUs: take device cuda, or no modifiers.")
    for modifier, module, install in KERNELS:
        if modifier in job.modifiers and importlib.util.find_spec(module) is None:
            raise MissingPackage(f"{modifier} needs {module}, which is not installed here: pip install {install}.")
    if job.device == "cuda":
        require_gpu("device cuda compiles for the GPU that it runs on", "take device cpu")
    compiler = os.environ.get("CXX", "g++")
    if job.target != "mliap" and shutil.which(compiler) is None:
        raise MissingPackage(
            f"There is no C++ compiler {compiler!r} here, which nequip-compile needs: install g++ 11 or newer "
            "(apt-get install g++, module load gcc) or set CXX."
        )


def _command(job: CompileJob, target: str) -> list[str]:
    if job.target == "mliap":
        command = ["nequip-prepare-lmp-mliap", job.model, target]
        # nequip 0.19: what torch.compile makes for ML-IAP on a CPU dies when it runs.
        command += ["--no-compile"] if job.device == "cpu" else []
    else:
        command = ["nequip-compile", job.model, target, "--mode", "aotinductor"]
        command += ["--device", job.device, "--target", job.target]
    if job.modifiers:
        command += ["--modifiers", *job.modifiers]
    return command + ["--tf32"] * job.tf32


main = program("seireact-compile", CompileJob, run, packages=("nequip", "nequip-allegro", "torch"), example=EXAMPLE)

if __name__ == "__main__":
    main()
