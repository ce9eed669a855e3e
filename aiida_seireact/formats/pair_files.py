"""Files of LAMMPS's other pair styles: what can be seen of them without the program that reads them."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from aiida_seireact.formats.model import ModelFileError

FOREIGN_KINDS = ("nequip-mliap", "flare-coefficients", "pace", "deepmd", "lammps-file")


@dataclass(frozen=True)
class PairFile:
    """What a file tells, or what was told of it.

    :param species: elements in the order of the model's types.
    :param sha256: of its bytes.
    """

    species: list[str]
    sha256: str


def read_pair_file(path: str | Path, kind: str, species: Sequence[str] = ()) -> PairFile:
    """Look into a file as far as its format allows; nothing of it is run.

    ``pace`` tells its elements, ``flare-coefficients`` how many there are, ``nequip-mliap`` that it is a whole archive;
    ``deepmd`` and ``lammps-file`` tell nothing.

    :param species: needed where the file does not tell them.
    :raises ModelFileError: missing, cut or of another kind; or species that are not given, or not its own.
    """
    source = Path(path)
    if kind not in FOREIGN_KINDS:
        raise ModelFileError(f"There is no kind {kind!r} of such a file: use one of {', '.join(FOREIGN_KINDS)}.")
    try:
        content = source.read_bytes()
    except OSError as error:
        raise ModelFileError(f"There is no model {path} ({error.strerror}).") from None
    found = list(species)
    if kind == "pace":
        found = _elements_of_pace(content, source.name)
    elif not found:
        raise ModelFileError(f"{source.name} does not tell its elements: give `species`, in the order of its types.")
    if species and list(species) != found:
        raise ModelFileError(f"{source.name} is of {', '.join(found)}, in this order, not of {', '.join(species)}.")
    if kind == "flare-coefficients" and (count := _species_of_flare(content, source.name)) != len(found):
        raise ModelFileError(f"{source.name} is of {count} species, not of the {len(found)} {', '.join(found)}.")
    if kind == "nequip-mliap":
        _check_archive(source)
    if not content:
        raise ModelFileError(f"{source.name} is empty.")
    return PairFile(found, hashlib.sha256(content).hexdigest())


def _elements_of_pace(content: bytes, name: str) -> list[str]:
    # Of the whole file, hundreds of lines of numbers, the first key is wanted.
    head = re.search(rb"^elements:\s*(\[[^\]]*\])", content, re.MULTILINE)
    elements = yaml.safe_load(head[1]) if head else None
    if not elements or not re.search(rb"^bonds:", content, re.MULTILINE):
        raise ModelFileError(f"{name} is not a potential of `pair_style pace` (a .yace with elements and bonds).")
    return [str(one) for one in elements]


def _species_of_flare(content: bytes, name: str) -> int:
    lines = content[:4096].decode("utf-8", errors="replace").splitlines()
    sizes = re.fullmatch(r"(\d+) \d+ \d+ \d+", lines[3].strip()) if len(lines) > 5 else None
    if not lines or not lines[0].startswith("DATE: ") or "CONTRIBUTOR:" not in lines[0] or sizes is None:
        raise ModelFileError(
            f"{name} holds no coefficients of `pair_style flare`: write them by `write_mapping_coefficients`."
        )
    return int(sizes[1])


def _check_archive(source: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelFileError(
            f"{source.name} is not a whole model for `pair_style mliap` ({error}): make it by "
            "`nequip-prepare-lmp-mliap`."
        ) from error
    if broken is not None:
        raise ModelFileError(f"{source.name} is damaged in {broken}: make it again by `nequip-prepare-lmp-mliap`.")
