"""What may not be passed on: found in the nodes that go into a bundle, by name, before anything is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, cast

from aiida import orm
from aiida.manage import get_manager

from aiida_seireact.formats.licensed_bytes import is_potcar_name, why_file_is_licensed, why_text_is_licensed
from aiida_seireact.publishing.bundle import BundleError, Progress
from aiida_seireact.publishing.subgraph import SubGraph

POTCAR_FILE = "data.vasp.potcar_file."
"""Node type of aiida-vasp's `PotcarFileData`, which holds a POTCAR; `PotcarData` holds its hash only, and may go."""
SAY_EVERY = 2 << 30


@dataclass(frozen=True)
class Licensed:
    """A place in the graph that holds what may not be passed on."""

    pk: int
    uuid: str
    what: str
    file: str
    why: str
    is_unread: bool = False
    """It may hold one: it can't be looked into."""

    @property
    def place(self) -> str:
        """Return how a person names the file."""
        return f"{self.pk}:{self.file}"

    def sentence(self) -> str:
        """Name node and file."""
        place = f", {self.file}" if self.file else ""
        return f"{self.what} <{self.pk}> ({self.uuid}){place}: {self.why}"


def refuse_licensed(graph: SubGraph, progress: Progress, looked_at: Collection[str] = ()) -> int:
    """Refuse nodes that hold a POTCAR, or an entry of the ICSD; return the bytes of all their files, each content once.

    :param looked_at: places, as ``PK:FILE``, of files that can't be looked into here, and were by a person.
    :raises BundleError: naming each node and file.
    """
    found, n_bytes = find_licensed(graph, progress)
    if held := [place for place in found if not place.is_unread]:
        raise BundleError(
            f"Not published: {len(held)} of its places hold what nobody may pass on: a POTCAR, by VASP's licence, "
            "or an entry of the ICSD, by its own.\n"
            f"{_listed(held)}\nPublish a process whose history does not lead there (`verdi node graph generate PK` "
            "shows it), or run what retrieved the file again without retrieving it; comments are taken back by `verdi "
            "node comment remove`."
        )
    unread = [place for place in found if place.is_unread]
    if unknown := set(looked_at).difference(place.place for place in unread):
        raise BundleError(
            f"There is no file {', '.join(sorted(unknown))} among those that can't be looked into: leave out its "
            "--looked-at, or name it as PK:FILE."
        )
    if closed := [place for place in unread if place.place not in looked_at]:
        options = " ".join(dict.fromkeys(f"--looked-at '{place.place}'" for place in closed))
        raise BundleError(
            f"Not published: {len(closed)} of its places can't be looked into, and might hold a POTCAR or the like.\n"
            f"{_listed(closed)}\nLook yourself (`verdi node repo dump PK FOLDER`). If there is none, say so: {options}"
        )
    return n_bytes


def _listed(places: list[Licensed]) -> str:
    return "\n".join(f"  {place.sentence()}" for place in places)


def find_licensed(graph: SubGraph, progress: Progress) -> tuple[list[Licensed], int]:
    """Return every place that holds what may not be passed on, or can't be looked into; and the bytes of all files.

    Looked at are the types of nodes, files by name and by their bytes, lists of what lies elsewhere, and texts:
    attributes, extras, labels, descriptions, comments and logs, which all go into an archive. A file that several nodes
    hold is read once, and told of each of them.

    :raises BundleError: a file of the repository is not what was stored.
    """
    found: list[Licensed] = []
    holders: dict[str, list[tuple[int, str, str, str]]] = {}
    columns = ("id", "uuid", "node_type", "repository_metadata", "attributes", "extras", "label", "description")
    for pk, uuid, node_type, metadata, attributes, extras, label, description in graph.rows(*columns):
        what = _name_of(node_type, (attributes or {}).get("process_label"))
        if node_type.startswith(POTCAR_FILE):
            found.append(Licensed(pk, uuid, what, "", "it is a POTCAR of aiida-vasp"))
            continue
        for why in _named_in_lists(node_type, attributes or {}):
            found.append(Licensed(pk, uuid, what, "", why))
        texts = {"attributes": attributes, "extras": extras, "label": label, "description": description}
        for place, told in texts.items():
            if why := _why_told(told):
                found.append(Licensed(pk, uuid, what, f"its {place}", why))
        for name, key in files_of(metadata or {}):
            if is_potcar_name(name):
                found.append(Licensed(pk, uuid, what, name, "it is named as one"))
            else:
                holders.setdefault(key, []).append((pk, uuid, what, name))
    found += _in_comments_and_logs(graph)
    total = 0
    for read in _read(list(holders), progress):
        total += read.n_bytes
        if read.why:
            found += [Licensed(*holder, read.why) for holder in holders[read.key]]
        elif read.unread:
            found += [Licensed(*holder, read.unread, is_unread=True) for holder in holders[read.key]]
        if not read.is_whole:
            pk, uuid, what, name = holders[read.key][0]
            raise BundleError(
                f"The file {name} of {what} <{pk}> ({uuid}) is not what was stored: its bytes changed in the "
                "repository of this profile, and nobody could import it. Bring it back from a backup, or run what made "
                "it again."
            )
    return sorted(found, key=lambda place: (place.pk, place.file)), total


def _name_of(node_type: str, process_label: str | None) -> str:
    return process_label or node_type.strip(".").rpartition(".")[2]


def _why_told(told: Any) -> str:
    """Return why what a node tells may not be passed on; empty if it may."""
    text = json.dumps(told, default=str).replace("\\n", "\n") if told else ""
    # Nodes of POTCARs tell title and element, which anybody may; a text goes on after that.
    return why_text_is_licensed(text) if any(word in text for word in ("PSCTR", "VRHFIN", "_code_ICSD")) else ""


def _in_comments_and_logs(graph: SubGraph) -> Iterator[Licensed]:
    beside = {"a comment": (orm.Comment, ("content",)), "its log": (orm.Log, ("message", "metadata"))}
    for place, (kind, columns) in beside.items():
        for pk, uuid, node_type, process_label, *told in graph.beside(kind, *columns):
            if why := next(filter(None, map(_why_told, told)), ""):
                yield Licensed(pk, uuid, _name_of(node_type, process_label), place, why)


def files_of(metadata: Mapping[str, Any], folder: PurePosixPath | None = None) -> Iterator[tuple[str, str]]:
    """Yield path and key of each file of a node's repository."""
    for name, item in (metadata.get("o") or {}).items():
        path = name if folder is None else str(folder / name)
        if "k" in item:
            yield path, str(item["k"])
        yield from files_of(item, PurePosixPath(path))


class _Counted:
    """A stream that counts and hashes what is read of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.n_bytes, self.digest = stream, 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.n_bytes += len(piece)
        self.digest.update(piece)
        return piece


@dataclass(frozen=True)
class _Read:
    """A file that was read: why it may not be passed on, by its bytes (empty: it may), and whether it is as stored.

    ``unread`` tells what of it can't be looked into.
    """

    key: str
    why: str
    unread: str
    n_bytes: int
    is_whole: bool


def _read(keys: list[str], progress: Progress) -> Iterator[_Read]:
    """Read each file once, to its end."""
    repository = get_manager().get_profile_storage().get_repository()
    total, told = 0, SAY_EVERY
    for number, (key, stream) in enumerate(repository.iter_object_streams(keys), 1):
        counted = _Counted(stream)
        unread: list[str] = []
        why = why_file_is_licensed(cast(IO[bytes], counted), unread=unread)
        while counted.read(1 << 20):
            pass
        is_whole = repository.key_format != "sha256" or counted.digest.hexdigest() == key
        yield _Read(key, why, "; ".join(unread[:3]), counted.n_bytes, is_whole)
        total += counted.n_bytes
        if total > told:
            told = total + SAY_EVERY
            progress(f"licences: {number} of {len(keys)} files looked into, {total / 1e9:.1f} GB")


def _named_in_lists(node_type: str, attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield what names a POTCAR that lies elsewhere: it would be in what is deposited apart."""
    if node_type.startswith("data.core.remote."):
        listed = [*(attributes.get("source_list") or []), attributes.get("remote_path") or ""]
        for name in listed:
            path = name if isinstance(name, str) else str(name[0])
            if is_potcar_name(path):
                yield f"its list names {path}"
