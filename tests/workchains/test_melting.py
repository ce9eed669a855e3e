"""Melting by coexistence in the graph, and the method proved where the answer is known: Lennard-Jones."""

from __future__ import annotations

import secrets
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from ase.units import GPa, kB

from aiida_seireact.calculations.functions.melting import make_two_phases, plan_round
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.melting import MeltingSettings
from aiida_seireact.workchains.melting import MeltingWorkChain, run_name, validate_parameters

EPSILON, SIGMA, CUTOFF = 0.0103235, 3.405, 3.5  # argon: eV, Å; cutoff in σ
KELVIN = EPSILON / kB
TRIPLE = 0.694
"""Of the full potential, ± 0.002 (E. A. Mastny and J. J. de Pablo, J. Chem. Phys. 127, 104504 (2007))."""


def tail_pressure_gpa() -> float:
    """Return the pressure that stands for the tail of the potential.

    Beyond the cutoff the fluid is taken as uniform, so the tail adds −aρ to the free energy an atom with a = (16/3)π
    (σ/r_c)³ εσ³, and −aρ² to the pressure. Two phases of the whole potential at pressure zero are then in equilibrium
    where those of the cut one are at aρ_sρ_l: with μ = μ_cut(P_cut) − 2aρ, all terms of first order in a cancel there.
    """
    solid, liquid = 0.96, 0.845
    return float((16 / 3) * np.pi * CUTOFF**-3 * solid * liquid * EPSILON / SIGMA**3 / GPa)


def parameters(**changes: Any) -> dict[str, Any]:
    md = {
        "pair": {"kind": "user", "style": f"lj/cut {CUTOFF * SIGMA}", "coefficients": [f"1 1 {EPSILON} {SIGMA}"]},
        "timestep_fs": 10.0,
        "thermo_every": 100,
        "tau_t_ps": 0.5,
        "tau_p_ps": 5.0,
        "pressure_gpa": tail_pressure_gpa(),
    }
    return {
        "repeat": (5, 5, 12),
        "expansion": 1.12,
        "low_k": 0.62 * KELVIN,
        "high_k": 0.76 * KELVIN,
        "tolerance_k": 0.025 * KELVIN,
        "at_once": 2,
        "melt": {"temperature_k": 1.7 * KELVIN, "steps": 4000},
        "steps": 20000,
        "frames": 20,
        "segment": {"md": md},
        **changes,
    }


@pytest.fixture(scope="module")
def lmp(this_machine: orm.Computer) -> orm.InstalledCode:
    """Return `lmp` of PyPI, as beside this Python."""
    scripts = Path(sysconfig.get_path("scripts"))
    return orm.InstalledCode(
        label=f"lmp-{secrets.token_hex(4)}",
        computer=this_machine,
        filepath_executable=str(scripts / "lmp"),
        prepend_text=f"export OMP_NUM_THREADS=1 LD_LIBRARY_PATH={scripts.parent / 'lib'}:$LD_LIBRARY_PATH",
    ).store()


@pytest.fixture
def builder(lmp: orm.InstalledCode, program_code: Callable[..., orm.InstalledCode], tmp_path: Path) -> Any:
    """Return inputs of argon by Lennard-Jones."""
    (tmp_path / "argon.txt").write_text("Lennard-Jones: all is told by the pair style.\n")
    builder = MeltingWorkChain.get_builder()
    builder.code, builder.companion = lmp, program_code("lmp")
    a = (4 / 0.965) ** (1 / 3) * SIGMA
    builder.structure = FramesData.from_ase([bulk("Ar", "fcc", a=a, cubic=True)])
    builder.potential = PotentialData.of_pair_style(tmp_path / "argon.txt", "lammps-file", species=["Ar"])
    builder.options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}
    return builder


@pytest.mark.slow
def test_lennard_jones_melts_where_its_literature_has_it(builder: Any) -> None:
    builder.parameters = orm.Dict(parameters())
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.melting
    print([[kelvin / KELVIN, outcome] for kelvin, outcome in found["known"]])
    print(found["melting_k"] / KELVIN, "+-", found["error_k"] / KELVIN)
    assert found["error_k"] <= 0.025 * KELVIN
    assert abs(found["melting_k"] - TRIPLE * KELVIN) <= found["error_k"]
    assert len(node.outputs.runs) == len(found["known"]) == 4
    assert {run["outcome"] for run in node.outputs.runs.values()} == {"froze", "melted"}


@pytest.mark.slow
def test_a_range_in_which_all_melts_ends_with_the_reason(builder: Any) -> None:
    # Far above melting a small cell is molten in 12 ps.
    small = {"repeat": (3, 3, 6), "steps": 1200, "low_k": 1.1 * KELVIN, "high_k": 1.3 * KELVIN}
    builder.parameters = orm.Dict(parameters(**small, melt={"temperature_k": 2.5 * KELVIN, "steps": 800}))
    node = run_get_node(builder).node
    assert node.exit_status == 550
    assert "the crystal melted at 131.779 K, the lowest temperature: begin lower" in node.exit_message
    assert node.outputs.melting["melting_k"] is None
    assert sorted(node.outputs.runs) == sorted(run_name(kelvin * KELVIN) for kelvin in (1.1, 1.3))
    fractions = node.outputs.runs[run_name(1.1 * KELVIN)]["fractions"]
    assert fractions[0] == pytest.approx(0.5, abs=0.2)
    assert fractions[-1] == 0.0
    links = {link.link_label for link in node.base.links.get_outgoing().all()}
    assert {"build", "melt", "half_molten", "plan_00", "plan_01"} <= links


def test_the_plan_is_a_function_of_what_is_known(aiida_profile: Any) -> None:
    settings = orm.Dict(parameters(low_k=300.0, high_k=700.0, tolerance_k=60.0))

    def outcomes(**found: str) -> dict[str, orm.Dict]:
        return {name: orm.Dict({"temperature_k": float(name[1:]), "outcome": one}) for name, one in found.items()}

    first = plan_round(settings)
    assert first["plan"]["temperatures_k"] == [300.0, 700.0]
    assert {name: node["md"]["temperature_k"] for name, node in first.items() if name != "plan"} == {
        "at_300_k": 300.0,
        "at_700_k": 700.0,
    }
    plan = plan_round(settings, **outcomes(t300="froze", t700="melted"))["plan"]
    assert plan["temperatures_k"] == pytest.approx([433.33, 566.67], abs=0.01)
    assert (plan["melting_k"], plan["error_k"]) == (500.0, 200.0)
    done = plan_round(settings, **outcomes(t300="froze", t400="froze", t500="melted", t700="melted"))
    assert list(done) == ["plan"]
    assert (done["plan"]["temperatures_k"], done["plan"]["melting_k"], done["plan"]["error_k"]) == ([], 450.0, 50.0)
    wrong = plan_round(settings, **outcomes(t300="froze", t400="melted", t500="froze", t700="melted"))["plan"]
    assert "grew at 500 K and melted at 400 K" in wrong["complaint"]
    # Neither grew over a range as wide as the tolerance allows a bracket to be: no answer, whatever the middle is.
    vague = plan_round(settings, **outcomes(t300="froze", t420="both", t560="both", t700="melted"))["plan"]
    assert vague["temperatures_k"] == []
    assert "neither phase grew from 420 to 560 K, so it lies within 200 K of 500 K, not 60" in vague["complaint"]


def test_cell_is_built_with_its_lower_half_first(aiida_profile: Any) -> None:
    crystal = FramesData.from_ase([bulk("Li", "bcc", a=3.5, cubic=True)])
    built = make_two_phases(crystal, orm.Dict(parameters(repeat=(4, 4, 8))))
    held = MeltingSettings.model_validate(parameters()).melting_half(128)["md"]
    assert built["melt"]["md"]["groups"] == held["groups"]
    assert built["cell"]["n_held"] == 128
    assert held["groups"] == {"held": {"species": [], "region": None, "ids": [[1, 128]]}}
    z = built["frames"].to_ase().positions[:, 2]
    assert z[:128].max() < z[128:].min()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"low_k": 100.0, "high_k": 90.0}, "low_k 100 is not below high_k 90"),
        ({"segment": {"md": {"steps": 5}}}, "segment.md.steps is filled in for each run: leave it out"),
        ({"segment": {"md": {"timestep_fs": -1.0}}}, "segment does not fit: md.timestep_fs"),
        ({"frames": 3}, "frames: Input should be greater than or equal to 12"),
    ],
)
def test_settings_that_do_not_fit_are_refused(aiida_profile: Any, changes: dict[str, Any], sentence: str) -> None:
    refused = validate_parameters(orm.Dict(parameters(**changes)), None)
    assert refused is not None
    assert sentence in refused


def test_names_of_runs_are_links() -> None:
    assert run_name(453.25) == "at_453p25_k"
    assert run_name(300.0) == "at_300_k"


def test_protocols_are_settings_that_fit(aiida_profile: Any) -> None:
    for protocol in MeltingWorkChain.get_available_protocols():
        settings = MeltingWorkChain.get_protocol_inputs(protocol)["parameters"]
        assert validate_parameters(orm.Dict(settings), None) is None
