"""Labels by VASP, through the jobs, parsers and handlers of aiida-vasp; its mock answers with a toy potential."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.plugins import WorkflowFactory
from aiida_vasp.parsers.content_parsers.incar import IncarParser
from ase import Atoms
from ase.calculators.emt import EMT

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.label_vasp import VaspSettings
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.workchains import label_engine, label_vasp
from aiida_seireact.workchains.known_labels import find_shards
from aiida_seireact.workchains.label import LabelWorkChain, validate_engine
from aiida_seireact.workchains.label_vasp import VaspLabelWorkChain
from aiida_seireact.workchains.protocol import merge
from tests.workchains.conftest import alloy
from tools.fake_vasp import E0_SHIFT, SLOW_STEPS
from tools.mock_vasp import mock_code, upload_potcars

GOLDEN = Path(__file__).parent / "golden"
FAMILY, MAPPING = "dummies", {"Cu": "Cu_pv", "Al": "Al"}
OPTIONS = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}, "withmpi": False}
# vasprun.xml has eight decimals; positions in fractions of a cell of 10 Å move forces of EMT by a few 1e-8 eV/Å.
TEXT = {"atol": 2e-7, "rtol": 0}


def settings(**overrides: Any) -> dict[str, Any]:
    """Return protocol `paper` for the alloy: its POTCARs, and Γ only."""
    paper = LabelWorkChain.get_protocol_inputs("paper")["parameters"]
    del paper["potential_mapping"]
    ours = {"potential_family": FAMILY, "potential_mapping": MAPPING, "kmesh": [{"length_ang": 1.0}], "max_runs": 2}
    return merge(merge(paper, ours), overrides)


def key(atoms: Atoms) -> str:
    """Return how `fake_vasp.py` knows a frame."""
    return f"{np.linalg.norm(atoms.cell[0]):.3f}"


@pytest.fixture(scope="module")
def vasp(this_machine: orm.Computer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., orm.InstalledCode]:
    """Return a factory of codes, each with a registry of its own; the POTCARs are there."""
    upload_potcars(tmp_path_factory.mktemp("potcars"), FAMILY, MAPPING)

    def make(**ways: str) -> orm.InstalledCode:
        return mock_code(this_machine, tmp_path_factory.mktemp("vasp"), ways)

    return make


def label(code: orm.AbstractCode, images: list[Atoms], **overrides: Any) -> orm.WorkChainNode:
    """Return the engine after it labelled ``images``."""
    _, node = run_get_node(
        VaspLabelWorkChain,
        code=code,
        frames=FramesData.from_ase(images, labels="ignore"),
        parameters=orm.Dict(settings(**overrides)),
        options=OPTIONS,
    )
    return node


@pytest.fixture(scope="module")
def images() -> list[Atoms]:
    """Return three frames of the alloy, compressed, at rest and expanded; sheared, so that each stress is another."""
    frames = [alloy(ratio, seed=seed) for seed, ratio in enumerate((0.9, 1.0, 1.1))]
    for atoms in frames:
        atoms.set_cell(atoms.cell.array @ [[1, 0.02, -0.03], [0, 1, 0.05], [0, 0, 1]], scale_atoms=True)
    return frames


@pytest.fixture(scope="module")
def finished(vasp: Callable[..., orm.InstalledCode], images: list[Atoms]) -> orm.WorkChainNode:
    """Return a batch that was labelled; one frame needs more steps than it was given."""
    node = label(vasp(**{key(images[1]): "slow"}), images, incar={"nelm": 60})
    assert node.is_finished_ok, node.exit_message
    return node


def test_labels_are_those_of_the_calculator(finished, images):
    frames = finished.outputs.frames.frames
    assert finished.outputs.failures["failures"] == []
    assert frames.structure_ids == finished.inputs.frames.frames.structure_ids
    for index, atoms in enumerate(images):
        atoms.calc = EMT()
        labelled = frames.to_atoms(index)
        assert atoms.get_chemical_symbols()[:2] == ["Al", "Cu"], "the order sent to VASP is another"
        np.testing.assert_allclose(labelled.get_potential_energy(), atoms.get_potential_energy(), **TEXT)
        np.testing.assert_allclose(labelled.get_forces(), atoms.get_forces(), **TEXT)
        np.testing.assert_allclose(labelled.get_stress(), atoms.get_stress(), **TEXT)
        np.testing.assert_allclose(
            labelled.info["energy_e0"], atoms.get_potential_energy() + E0_SHIFT * len(atoms), **TEXT
        )
        assert len(set(np.abs(atoms.get_stress()).round(4))) == 6, "a swapped component would not be seen"


def test_a_compressed_cell_has_a_negative_stress(finished):
    frames = finished.outputs.frames.frames
    assert (frames.stress[0, :3] < -0.01).all()
    assert (frames.stress[2, :3] > 0.01).all()


def test_every_label_knows_its_job(finished):
    collected = finished.base.links.get_outgoing(link_label_filter="collect_vasp").one().node
    for index, name in enumerate(("frame_000", "frame_001", "frame_002")):
        job = collected.inputs[name].creator
        assert job.process_type == "aiida.calculations:vasp.vasp"
        assert "vasprun.xml" in job.outputs.retrieved.base.repository.list_object_names()
        sent = job.inputs.structure.get_ase()
        assert sent.get_chemical_symbols() == ["Al"] * 2 + ["Cu"] * 6, "a POTCAR for each block of atoms"
        np.testing.assert_allclose(sent.cell.array, finished.outputs.frames.frames.cells[index], atol=1e-12)
    assert finished.outputs.frames.creator == collected


def test_what_a_handler_changed_is_told_and_found(finished):
    (report,) = finished.outputs.failures["reports"]
    assert (report["index"], report["report"]) == (1, "NELM = 150 (asked: 60)")
    assert 60 < SLOW_STEPS < 150, "else the frame would have converged at once, or never"
    collected = finished.outputs.frames.creator
    assert collected.inputs.frame_001.creator.inputs.parameters["nelm"] == 150
    assert collected.inputs.frame_000.creator.inputs.parameters["nelm"] == 60


def test_nothing_but_what_decides_a_label_is_in_its_hash(finished):
    frames = finished.outputs.frames.frames
    model = VaspSettings.model_validate(settings(incar={"nelm": 60}))
    sha512 = {
        node.base.attributes.get("element"): node.base.attributes.get("sha512") for node in orm.load_group(FAMILY).nodes
    }
    assert set(sha512) == set(MAPPING)
    identity = model.identity("6.4.2", sha512)
    assert frames.settings_hash == level_hash(identity)
    assert FAMILY not in str(identity)
    parallel = VaspSettings.model_validate(settings(incar={"nelm": 60}, parallel={"ncore": 4}, max_runs=1))
    assert parallel.identity("6.4.2", sha512) == identity
    assert parallel.tags()["ncore"] == 4


def test_the_collection_takes_less_than_three_links_a_frame(finished):
    collected = finished.base.links.get_outgoing(link_label_filter="collect_vasp").one().node
    assert len(collected.base.links.get_incoming().all()) == 3 + len(MAPPING) + 2 + 1


def test_a_replay_runs_no_vasp_and_gives_the_same_frames(finished):
    inputs = {name: finished.inputs[name] for name in ("code", "frames", "parameters")}
    with enable_caching():
        _, again = run_get_node(VaspLabelWorkChain, **inputs, options=OPTIONS)
    assert again.is_finished_ok, again.exit_message
    jobs = [node for node in again.called_descendants if isinstance(node, orm.CalcJobNode)]
    assert len(jobs) == 4, "one frame needed two runs"
    assert all(job.base.caching.is_created_from_cache for job in jobs)
    assert again.outputs.frames.content_hash == finished.outputs.frames.content_hash
    assert again.outputs.failures.get_dict() == finished.outputs.failures.get_dict()


def test_labels_with_another_potcar_of_that_name_are_not_taken_over(finished, monkeypatch):
    inputs = {"engine": orm.Str("seireact.label.vasp"), **{n: finished.inputs[n] for n in ("code", "parameters")}}
    ((shard,),) = find_shards(finished.inputs.frames, inputs)
    assert shard.content_hash == finished.outputs.frames.content_hash
    monkeypatch.setattr(VaspLabelWorkChain, "potentials", classmethod(lambda cls, settings: {"Cu": orm.Str("newer")}))
    assert find_shards(finished.inputs.frames, inputs) == []


def spoil(vasp: Callable[..., orm.InstalledCode], ways: list[str], **overrides: Any) -> orm.WorkChainNode:
    """Return a batch whose first frame is well and whose others are spoilt, each in its way."""
    frames = [alloy(ratio, seed=seed) for seed, ratio in enumerate(np.linspace(0.9, 1.1, len(ways) + 1))]
    return label(vasp(**{key(atoms): way for atoms, way in zip(frames[1:], ways, strict=True)}), frames, **overrides)


def check(node: orm.WorkChainNode, reasons: dict[str, str]) -> None:
    """Assert that each spoilt frame has its reason, and the first one its label."""
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.frames.frames.structure_ids == node.inputs.frames.frames.structure_ids[:1]
    failures = node.outputs.failures["failures"]
    assert [failure["index"] for failure in failures] == list(range(1, len(reasons) + 1))
    for failure, (way, reason) in zip(failures, reasons.items(), strict=True):
        assert failure["structure_id"] == node.inputs.frames.frames.structure_ids[failure["index"]]
        assert reason in failure["reason"], f"{way}: {failure['reason']}"


def test_a_spoilt_frame_is_refused_and_costs_no_other(vasp):
    reasons = {
        "unconverged": "its electronic structure is not converged after 50 steps (run 1)",
        "nan": "AiiDA can't keep its output",
        "crash": "an object that is marked by the parser as critical is missing (exit 352 of aiida-vasp, run 1)",
        "reordered": "its atoms came back in another order, or are others",
    }
    check(spoil(vasp, list(reasons), incar={"nelm": 50}, max_runs=1), reasons)


@pytest.mark.slow
def test_each_other_way_to_fail_is_told_apart(vasp):
    reasons = {
        "no_stress": "it has no stress",
        "moved": "its atoms came back moved by 1.0e-02 Å",
        "strained": "its cell came back changed",
        "overflow": "exit 1005 of aiida-vasp",
        "other_version": "VASP 6.5.0 computed it, the others VASP 6.4.2",
        "cut": "Calculation did not reach the end of execution (exit 700 of aiida-vasp, run 2)",
        "unconverged": "its electronic structure is not converged after 190 steps (run 3)",
    }
    node = spoil(vasp, list(reasons), max_runs=3)
    check(node, reasons)


def test_without_one_label_the_first_reason_is_told(vasp, images):
    node = label(vasp(**{key(images[0]): "no_stress"}), images[:1])
    assert node.exit_code.status == 490
    assert node.exit_message.endswith("the first, because it has no stress")
    assert "frames" not in node.outputs
    assert node.outputs.failures["failures"][0]["reason"] == "it has no stress"


def test_a_stress_that_is_not_asked_for_is_not_missed(vasp, images):
    node = label(vasp(**{key(images[0]): "no_stress"}), images[:1], acceptance={"stress": False})
    assert node.is_finished_ok, node.exit_message
    assert not node.outputs.frames.has_stress


def test_isolated_atoms_are_spin_polarised_at_gamma_and_have_no_stress(vasp):
    box = np.diag([12.0, 12.1, 12.2])
    atoms = [Atoms(symbol, cell=box, positions=[[6, 6, 6]], pbc=True) for symbol in ("Cu", "Al")]
    for atom in atoms:
        atom.info.update(config_type="isolated_atom", group=str(atom.symbols))
    node = label(vasp(), atoms, kmesh=[{"length_ang": 40.0}])
    assert node.is_finished_ok, node.exit_message
    frames = node.outputs.frames.frames
    assert not frames.has_stress
    collected = node.outputs.frames.creator
    for index, atom in enumerate(atoms):
        atom.calc = EMT()
        np.testing.assert_allclose(frames.energy[index], atom.get_potential_energy(), **TEXT)
        job = collected.inputs[f"frame_{index:03d}"].creator
        assert job.inputs.kpoints.get_kpoints_mesh() == ([1, 1, 1], [0.0, 0.0, 0.0])
        incar = job.inputs.parameters.get_dict()
        # One unpaired electron each: 4s1 of Cu, 3p1 of Al.
        assert {tag: incar[tag] for tag in ("ispin", "ismear", "sigma", "isym", "magmom")} == {
            "ispin": 2, "ismear": 0, "sigma": 0.002, "isym": 0, "magmom": "1",
        }  # fmt: skip
    # The same level of theory as that of cells: the rule for atoms is part of it.
    model = VaspSettings.model_validate(settings(kmesh=[{"length_ang": 40.0}]))
    sha512 = {node.element: node.sha512 for node in orm.load_group(FAMILY).nodes}
    assert frames.settings_hash == level_hash(model.identity("6.4.2", sha512))


REFUSED = {
    "no_family": (
        {"potential_family": "PBE.64"},
        r"There is no POTCAR family 'PBE.64' .* for Al, Cu: .*aiida-vasp potcar uploadfamily --path FOLDER --name 'P",
    ),
    "no_potcar": (
        {"potential_mapping": {"Cu": "Cu_GW"}},
        r"lacks Cu_GW for Cu: upload it by `aiida-vasp potcar uploadfamily --path FOLDER --name 'dummies'",
    ),
    "no_stress": ({"incar": {"isif": 0}}, "isif below 2 gives no stress"),
    "pstress": ({"incar": {"pstress": 10}}, r"pstress adds p·V to the energy"),
    "relaxation": ({"incar": {"nsw": 5}}, "a label is a single point: nsw is 0 and ibrion -1, not 5"),
    "parallel": ({"incar": {"ncore": 4}}, "ncore divides the work and changes no label: move it to parallel"),
    "symmetry": ({"incar": {"isym": 2}}, "a frame of MD has no symmetry"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_wrong_settings_are_refused_before_anything_is_submitted(what, vasp, images):
    overrides, sentence = REFUSED[what]
    with pytest.raises(ValueError, match=sentence):
        label(vasp(), images, **overrides)


def test_an_element_without_potcar_is_named(vasp, images):
    odd = images[0].copy()
    odd.symbols[3] = "Ni"
    with pytest.raises(ValueError, match=r"names no POTCAR for Ni: add it, as Ni: Ni, and have it in the family"):
        label(vasp(), [odd])


def test_more_frames_than_one_batch_holds_are_refused(vasp):
    with pytest.raises(ValueError, match="65 frames are too many for one batch of VASP, at most 32"):
        label(vasp(), [alloy(seed=seed) for seed in range(65)])


def test_atoms_beside_cells_are_refused(vasp, images):
    atom = Atoms("Cu", cell=[12.0, 12.1, 12.2], pbc=True)
    atom.info["config_type"] = "isolated_atom"
    with pytest.raises(ValueError, match="1 of 2 frames are isolated atoms: label them apart from the cells"):
        label(vasp(), [images[0], atom])
    wrong = images[0].copy()
    wrong.info["config_type"] = "isolated_atom"
    with pytest.raises(ValueError, match="Frame 0 is called isolated_atom and has 8 atoms"):
        label(vasp(), [wrong])


def test_a_code_of_another_program_is_refused(this_machine, images, vasp):
    vasp()
    other = orm.InstalledCode(
        label="ours", computer=this_machine, default_calc_job_plugin="seireact.ase", filepath_executable="/bin/true"
    ).store()
    with pytest.raises(ValueError, match=r"The code 'ours@.*' runs seireact.ase, not VASP"):
        label(other, images)


def test_a_molecule_without_a_box_is_refused(vasp):
    with pytest.raises(ValueError, match="Frame 0 has a cell without volume, and VASP needs one"):
        label(vasp(), [Atoms("Cu2", positions=[[0, 0, 0], [2.3, 0, 0]])])


def test_aiida_vasp_that_is_not_there_is_told_with_the_command(vasp, images, monkeypatch):
    code = vasp()
    monkeypatch.setattr(label_engine, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"aiida-vasp is not installed .* `pip install 'aiida-seireact\[vasp\]'`"):
        label(code, images)


def test_jobs_without_a_number_of_cores_are_refused(aiida_computer_local):
    computer = aiida_computer_local(label="cluster", configure=False)
    computer.set_default_mpiprocs_per_machine(None)
    code = orm.InstalledCode(label="vasp", computer=computer, filepath_executable="/bin/vasp")
    assert "Nobody says how many cores VASP gets: give options" in str(label_vasp.validate_resources(code, {}))
    assert label_vasp.validate_resources(code, OPTIONS) is None
    computer.set_default_mpiprocs_per_machine(32)
    assert label_vasp.validate_resources(code, {}) is None


def test_the_engine_is_found_by_its_name():
    assert validate_engine(orm.Str("seireact.label.vasp"), None) is None
    assert WorkflowFactory("seireact.label.vasp") is VaspLabelWorkChain


def test_the_files_of_protocol_paper_are_those_of_the_golden_ones(tmp_path):
    """The text that aiida-vasp writes; whoever changes a value of the level of theory changes this file knowingly."""
    paper = VaspSettings.model_validate(LabelWorkChain.get_protocol_inputs("paper")["parameters"])
    for name, element in (("INCAR.cell", None), ("INCAR.atom_P", "P")):
        IncarParser(data=orm.Dict(paper.tags(element))).write(str(tmp_path / name))
        assert (tmp_path / name).read_text() == (GOLDEN / name).read_text()


def test_a_mesh_is_written_gamma_centred(finished):
    job = finished.outputs.frames.creator.inputs.frame_000.creator
    kpoints = job.base.repository.get_object_content("KPOINTS").splitlines()
    assert kpoints[2].strip().lower().startswith("g")
    assert kpoints[3].split() == ["1", "1", "1"]
