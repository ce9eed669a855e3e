"""The compiled model of ``seireact-compile`` as a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida.engine import ExitCode

from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.parsers.base import ProgramParser


class CompileParser(ProgramParser):
    """Output ``compiled`` knows its package, target, device, torch version, and what makes its numbers others."""

    CACHE_VERSION = 2

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        package = self.node.inputs.package
        asked = self.node.inputs.parameters.get_dict()
        mliap = result["target"] == "mliap"
        card = {
            "kind": "nequip-mliap" if mliap else "allegro-compiled",
            "species": result["species"],
            "cutoff_ang": result["r_max_ang"],
            "model_hash": package.model_hash,
            "package_hash": result["package_hash"],
            "compiled_hash": result["compiled_hash"],
            "dataset_hash": package.base.attributes.get("dataset_hash"),
            "metrics": package.base.attributes.get("metrics"),
            **{key: result[key] for key in ("target", "device", "torch_version", "cpu_isa", "versions")},
            "tf32": bool(asked.get("tf32", False)),
            "modifiers": sorted(asked.get("modifiers", [])),
            "cuda_capability": result.get("cuda_capability", ""),
        }
        self.out("compiled", PotentialData(folder / (files.MLIAP if mliap else files.COMPILED), card=card))
        return None
