"""Identity and card of a trained Allegro model, read from the file without running any of its code.

A ``.nequip.zip`` package holds weights, model objects, source code and settings; a ``.nequip.pt2`` holds
machine code for one target, device and torch version. Both are zip archives, so both can be described and
hashed by reading members.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from aiida_seireact.formats.atomic import write_atomically

PACKAGE_SUFFIX = ".nequip.zip"
COMPILED_SUFFIX = ".nequip.pt2"
CARD_MEMBER = "seireact_card.json"

# torch writes a number into every archive that also counts the bytes of the settings, paths included.
_VOLATILE = {
    ".data/serialization_id",
    ".data/extern_modules",
    ".data/python_version",
    "model/config.yaml",
    "model/package_metadata.txt",
}
_TARGETS = {
    ("pos edge_index atom_types", "atomic_energy forces virial"): "pair_allegro",
    ("pos edge_index atom_types cell edge_cell_shift", "atomic_energy forces virial"): "pair_nequip",
    ("pos edge_index atom_types cell edge_cell_shift", "atomic_energy total_energy forces stress"): "ase",
    (
        "pos edge_index atom_types cell edge_cell_shift batch num_atoms",
        "atomic_energy total_energy forces stress",
    ): "batch",
}


class ModelFileError(ValueError):
    """A file that is not a whole model; the message says which file, what is wrong and what to do."""


@dataclass(frozen=True)
class PackageCard:
    """What a package says of itself.

    :param species: the model's type names, in its order
    :param r_max_ang: cutoff radius, Å
    :param versions: of allegro, e3nn, nequip and torch at packaging time
    :param model_hash: see :func:`package_hash`
    :param learner: ``allegro`` or ``nequip``, by the code it carries
    """

    species: list[str]
    r_max_ang: float
    versions: dict[str, str]
    model_hash: str
    learner: str = "allegro"

    @property
    def kind(self) -> str:
        """What a potential of it is called: ``allegro-package`` or ``nequip-package``."""
        return f"{self.learner}-package"

    def as_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class CompiledCard:
    """What a compiled model says of itself.

    :param target: pair_allegro, pair_nequip, ase or batch; ``other`` for inputs and outputs of no known
        target
    :param device: cpu or cuda
    :param cpu_isa: instruction sets the code was built for, as torch names them
    :param torch_version: empty when the file was not made by ``seireact-compile``
    :param package_hash: hash of the package it was compiled from; empty as above
    """

    species: list[str]
    r_max_ang: float
    dtype: str
    target: str
    device: str
    machine: str
    cpu_isa: str
    compiled_hash: str
    torch_version: str = ""
    package_hash: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)


# ---------------------------------------------------------------- packages
def package_hash(path: str | Path) -> str:
    """Return the sha256 of a package's weights, model objects, code and settings.

    Left out is what says where and when it was made: the archive's name and dates, torch's serialization
    number, and of the training settings the data files, the trainer (logger, folders, device) and every path.

    :raises ModelFileError: not a whole package.
    """
    members = _members(path, "package")
    _settings_of(members, path)
    return _digest_package(members)


def read_package_card(path: str | Path) -> PackageCard:
    """Return species, cutoff, versions and hash of a package; nothing is unpickled or imported.

    :raises ModelFileError: not a whole package, or a fine-tuned one whose settings name no cutoff anywhere.
    """
    members = _members(path, "package")
    settings, metadata = _settings_of(members, path)
    types = metadata["atom_types"]
    r_max = _cutoff(settings)
    if r_max is None:
        raise ModelFileError(f"{path} does not tell its cutoff radius: package it again with nequip 0.19.")
    return PackageCard(
        species=[str(types[index]) for index in range(len(types))],
        r_max_ang=r_max,
        versions={name: str(version) for name, version in metadata.get("versions", {}).items()},
        model_hash=_digest_package(members),
        # A package carries the code of its own network only, also where it was fine-tuned from another one.
        learner="allegro" if any(name.startswith("allegro/") for name in members) else "nequip",
    )


def _settings_of(members: dict[str, bytes], path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    missing = {"model/config.yaml", "model/package_metadata.txt", "model/eager_model.pkl"} - set(members)
    if missing:
        raise ModelFileError(
            f"{path} is a zip but not a nequip package (it lacks {', '.join(sorted(missing))}): "
            "make one with `nequip-package build best.ckpt model.nequip.zip`."
        )
    try:
        settings = yaml.safe_load(members["model/config.yaml"])
        metadata = yaml.safe_load(members["model/package_metadata.txt"])
        settings["training_module"], metadata["atom_types"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ModelFileError(f"The settings inside {path} are not readable ({error}): package it again.") from error
    return settings, metadata


def _digest_package(members: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(set(members) - _VOLATILE):
        digest.update(f"{name}\0{hashlib.sha256(members[name]).hexdigest()}\n".encode())
    settings = _without_paths(yaml.safe_load(members["model/config.yaml"])["training_module"])
    types = yaml.safe_load(members["model/package_metadata.txt"])["atom_types"]
    digest.update(json.dumps([settings, sorted(types.items())], sort_keys=True).encode())
    return digest.hexdigest()


def _without_paths(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _without_paths(value) for key, value in item.items() if not str(key).endswith("_path")}
    if isinstance(item, list):
        return [_without_paths(value) for value in item]
    return item


def _cutoff(settings: dict[str, Any]) -> float | None:
    """The network's own cutoff, or for a fine-tuned model that of the neighbour list it was trained with."""
    own = settings["training_module"].get("model", {}).get("r_max")
    if own is not None:
        return float(own)
    radii = [item["r_max"] for item in settings.get("data", {}).get("transforms", []) if "r_max" in item]
    return float(radii[0]) if radii else None


# ---------------------------------------------------------------- compiled models
def read_compiled_card(path: str | Path) -> CompiledCard:
    """Return what a ``.nequip.pt2`` was compiled for; its machine code is not loaded.

    :raises ModelFileError: not a whole compiled nequip model.
    """
    members = _members(path, "compiled model")
    found = [name for name in members if name.endswith("wrapper_metadata.json")]
    try:
        content = json.loads(members[found[0]])
        inputs = content.get("nequip_aoti_inputs", "")
        outputs = content.get("nequip_aoti_outputs", "")
        card = json.loads(members.get(f"extra/{CARD_MEMBER}", b"{}"))
        return CompiledCard(
            species=content["type_names"].split(),
            r_max_ang=float(content["r_max"]),
            dtype=content["model_dtype"],
            target=_TARGETS.get((inputs, outputs), "other"),
            device=content["AOTI_DEVICE_KEY"],
            machine=content.get("AOTI_MACHINE", ""),
            cpu_isa=content.get("AOTI_CPU_ISA", ""),
            compiled_hash=_digest_compiled(members),
            torch_version=card.get("torch_version", ""),
            package_hash=card.get("package_hash", ""),
            versions=card.get("versions", {}),
        )
    except (IndexError, KeyError, ValueError) as error:
        raise ModelFileError(
            f"{path} is a zip but not a compiled nequip model ({error!r}): make one with "
            "`seireact-compile` or "
            "`nequip-compile --mode aotinductor --target pair_allegro`."
        ) from error


def write_card_into_compiled(path: str | Path, card: dict[str, Any]) -> None:
    """Put ``card`` (torch_version, package_hash, versions) into a compiled model, where torch ignores it.

    The file so tells what torch itself doesn't record, wherever it is copied.

    :raises ModelFileError: not a zip archive.
    """
    source = Path(path)
    members = _members(source, "compiled model")
    if f"extra/{CARD_MEMBER}" in members:
        raise ModelFileError(f"{path} carries a card already.")
    top = _top_folder(source)
    with write_atomically(source) as temporary:
        temporary.write_bytes(source.read_bytes())
        with zipfile.ZipFile(temporary, "a") as archive:
            # A fixed date keeps two runs of one compilation alike.
            member = zipfile.ZipInfo(f"{top}/extra/{CARD_MEMBER}", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(member, json.dumps(card, sort_keys=True))


def _digest_compiled(members: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(set(members) - {".data/serialization_id"}):
        digest.update(f"{name}\0{hashlib.sha256(members[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


# ---------------------------------------------------------------- archives
def _top_folder(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return PurePosixPath(archive.namelist()[0]).parts[0]


def _members(path: str | Path, kind: str) -> dict[str, bytes]:
    """Return ``{name: content}`` without the archive's top folder, which only repeats the file's name.

    Reading checks every member's checksum.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix(): archive.read(name)
                for name in archive.namelist()
            }
    except FileNotFoundError:
        raise ModelFileError(f"There is no {kind} {path}.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise ModelFileError(
            f"{path} is not a whole {kind} ({error}): it was cut short or is another kind of file; copy or "
            "make it again."
        ) from error
