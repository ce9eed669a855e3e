"""Gaps of VASP as aiida-vasp reads levels."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm

from aiida_seireact.calculations.functions.gaps import _of_vasp, smeared
from aiida_seireact.calculations.vasp_run import VaspRun
from aiida_seireact.formats.jobs.label_qe import QeSettings


def run(exit_status: int = 0, **misc: Any) -> VaspRun:
    calculation, workchain = orm.CalcJobNode(), orm.WorkChainNode()
    calculation.set_exit_status(exit_status)
    calculation.set_exit_message("it broke")
    workchain.set_exit_status(exit_status)
    return VaspRun(misc=misc, calculation=calculation, workchain=workchain)


def test_an_insulator_has_its_gap(aiida_profile):
    found = _of_vasp(run(band_properties={"band_gap": 1.7, "vbm": 2.0, "cbm": 3.7, "is_direct_gap": False}))
    assert (found.gap_ev, found.direct_ev, found.metallic) == (1.7, None, False)


def test_levels_that_are_partly_filled_are_a_metal(aiida_profile):
    found = _of_vasp(run(band_properties={"band_gap": 0.0, "vbm": 3.0, "cbm": 2.5, "is_direct_gap": False}))
    assert found.metallic
    assert found.gap_ev == 0


@pytest.mark.parametrize(
    ("given", "words"), [(VaspRun(), "no job of VASP"), ({}, "found no levels"), ({"exit_status": 700}, "exit 700")]
)
def test_no_levels_no_gap_and_the_reason(given, words, aiida_profile):
    found = _of_vasp(given if isinstance(given, VaspRun) else run(**given))
    assert found.gap_ev is None
    assert found.metallic is None
    assert words in found.remark


def test_every_cell_is_smeared_for_a_gap():
    settings = QeSettings(pseudo_family="x", species=["Li", "S"], kmesh=[{"length_ang": 20.0}], insulators=["Li2S"])
    assert settings.parameters(["Li", "Li", "S"])["SYSTEM"]["occupations"] == "fixed"
    assert smeared(settings).parameters(["Li", "Li", "S"])["SYSTEM"]["occupations"] == "smearing"
