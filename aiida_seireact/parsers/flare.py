"""GP, state, frames and numbers of a leg of ``seireact-flare`` as nodes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.sgp import load_gp
from aiida_seireact.parsers.base import ProgramParser, arrays_of

FRAMES = {"asked": files.ASKED, "visited": files.VISITED}
ARRAYS = {"state": files.STATE, "trace": files.TRACE, "canary": files.CANARY}


class FlareParser(ProgramParser):
    """Output ``leg`` holds what the program tells; file names are left out, since the nodes are those files."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        named = result.pop("files")
        gp = load_gp(folder / files.SGP)
        if gp.content_hash != result["gp_hash"]:
            raise ValueError(f"{files.SGP} holds another GP than the result tells of.")
        card = {
            "kind": "sgp",
            "species": list(gp.species),
            "cutoff_ang": gp.cutoff_ang,
            "model_hash": gp.content_hash,
            "dataset_hash": hash_of(gp.frame_ids),
            "versions": json.loads(self.retrieved.base.repository.get_object_content(files.RESULT))["versions"],
            "metrics": {"canary": result["canary"]},
        }
        for name, file in ARRAYS.items():
            self.out(name, arrays_of(folder / file))
        for name, file in FRAMES.items():
            if named[name] is not None:
                self.out(name, FramesData(Frames.load(folder / file)))
        self.out("gp", PotentialData(folder / files.SGP, card=card))
        self.out("leg", orm.Dict(result))
        return None


def hash_of(frame_ids: tuple[str, ...]) -> str:
    """Return the sha256 of the sorted ids of the frames that were learned."""
    return hashlib.sha256("\n".join(sorted(frame_ids)).encode()).hexdigest()
