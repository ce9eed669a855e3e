"""seireact-label: labels are those of the calculator, one bad frame leaves the others alone, refusals are
sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from click.testing import CliRunner

from aiida_seireact.formats.frames import Frames
from aiida_seireact.programs import label
from aiida_seireact.science.structures import crystal

LJ = {"name": "lj", "kwargs": {"sigma": 2.3, "epsilon": 0.1, "rc": 6.0}}


def copper(n: int = 3, *, repeat: int = 2) -> list[Atoms]:
    images = []
    for k in range(n):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(repeat)
        atoms.rattle(0.05, seed=k)
        atoms.info.update(config_type="Cu", group=f"g{k}", parent_id="")
        images.append(atoms)
    return images


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run the program in an empty folder and return its exit status and result."""
    monkeypatch.chdir(tmp_path)

    def run(images: list[Atoms] | None = None, **job):
        if images is not None:
            Frames.from_atoms(images).save("frames.npz")
            job["frames"] = "frames.npz"
        Path("job.json").write_text(json.dumps(job))
        outcome = CliRunner().invoke(label.main, ["job.json"])
        return outcome.exit_code, json.loads(Path("result.json").read_text())

    return run


@pytest.fixture
def moody(monkeypatch):
    """Provide the calculator `moody:make`, which fails on frames by the number of their atoms."""

    class Moody(LennardJones):
        def calculate(self, atoms=None, properties=None, system_changes=all_changes):
            if len(atoms) == 4:
                raise RuntimeError("SCF not converged\nin 300 cycles")
            super().calculate(atoms, properties or ["energy"], system_changes)
            if len(atoms) == 8:
                self.results["energy"] = self.results["free_energy"] = float("nan")
            if len(atoms) == 16:
                del self.results["stress"]
            if len(atoms) == 2:
                self.results |= {"magmoms": np.ones(2), "free_energy": -3.0, "energy": -2.5}

    module = ModuleType("moody")
    module.make = lambda **kwargs: Moody(**kwargs)
    monkeypatch.setitem(sys.modules, "moody", module)
    return {"name": "moody:make", "allow_import": True}


def test_labels_are_those_of_the_calculator_and_origins_are_kept(execute):
    images = copper()
    status, result = execute(images, calculator="emt")
    frames = Frames.load("labelled.npz")
    assert status == 0
    assert result["outputs"]["n_labelled"] == len(frames) == 3
    assert frames.settings_hash == result["outputs"]["settings_hash"]
    for index, atoms in enumerate(images):
        atoms.calc = EMT()
        labelled = frames.to_atoms(index)
        assert labelled.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
        assert labelled.get_forces() == pytest.approx(atoms.get_forces(), abs=1e-10)
        assert labelled.get_stress() == pytest.approx(atoms.get_stress(), abs=1e-12)
    assert frames.group.tolist() == ["g0", "g1", "g2"]
    assert frames.structure_ids == Frames.from_atoms(images, labels="ignore").structure_ids


def test_compressed_copper_has_negative_stress_as_in_ase(execute):
    atoms = bulk("Cu", "fcc", a=3.45, cubic=True)
    execute([atoms], calculator="emt")
    assert (Frames.load("labelled.npz").stress[0, :3] < -0.01).all()


def test_the_same_input_gives_the_same_bytes(execute):
    files = []
    for _ in range(2):
        execute(copper(), task="md", calculator="emt", md={"steps": 20, "temperature_k": 300, "seed": 4})
        files.append(Path("labelled.npz").read_bytes())
    assert files[0] == files[1]


def test_a_frame_that_fails_does_not_take_the_others_along(execute, moody):
    cu = bulk("Cu", "fcc", a=3.6, cubic=True)
    images = [cu.repeat((3, 1, 1)), cu, cu.repeat((2, 1, 1)), cu.repeat((2, 2, 1)), cu.repeat((5, 1, 1))]
    status, result = execute(images, calculator=moody)
    failures = result["outputs"]["failures"]
    assert status == 0
    assert [failure["index"] for failure in failures] == [1, 2, 3]
    assert failures[0]["reason"] == "RuntimeError: SCF not converged in 300 cycles"
    assert failures[1]["reason"] == "its energy is not a number"
    assert "stress" in failures[2]["reason"]
    ids = Frames.from_atoms(images).structure_ids
    assert [failure["structure_id"] for failure in failures] == ids[1:4]
    assert Frames.load("labelled.npz").structure_ids == [ids[0], ids[4]]


def test_the_program_fails_when_no_frame_could_be_labelled(execute, moody):
    status, result = execute([bulk("Cu", "fcc", a=3.6, cubic=True)] * 2, calculator=moody)
    assert status == 4
    assert result["error"]["kind"] == "failed"
    assert result["error"]["message"].startswith("Not one of 2 frames could be labelled by 'moody:make'; frame 0: ")
    assert not Path("labelled.npz").exists()


def test_the_energy_is_the_one_the_forces_belong_to(execute, moody):
    execute([bulk("Cu", "bcc", a=2.9, cubic=True)], calculator=moody)
    frames = Frames.load("labelled.npz")
    assert frames.energy.tolist() == [-3.0]
    assert frames.energy_e0.tolist() == [-2.5]
    execute(copper(1), calculator="emt")
    assert Frames.load("labelled.npz").energy_e0 is None


class TestAcceptance:
    def test_a_force_too_large_is_refused_with_its_length(self, execute):
        images = copper(2)
        images[1].positions[0, 0] += 0.9
        status, result = execute(images, calculator="emt", acceptance={"max_force_ev_per_ang": 2.0})
        assert status == 0
        (failure,) = result["outputs"]["failures"]
        assert failure["index"] == 1
        assert failure["reason"].endswith("allowed up to 2 eV/Å")

    def test_labels_without_stress_are_stored_without(self, execute):
        status, _ = execute(copper(2), calculator="emt", acceptance={"stress": False})
        frames = Frames.load("labelled.npz")
        assert status == 0
        assert frames.is_labelled
        assert not frames.has_stress

    def test_gfn1_labels_energies_and_forces_only(self, execute):
        status, result = execute([crystal("LiCl")], calculator="tblite", acceptance={"stress": False})
        assert status == 0
        assert result["outputs"]["calculator"]["kind"] == "semi-empirical"
        assert Frames.load("labelled.npz").stress is None
        status, result = execute([crystal("LiCl")], calculator="tblite")
        assert status == 2
        assert "off by 1 to 8 GPa" in result["error"]["message"]
        status, result = execute([crystal("LiCl")], calculator="tblite", task="relax", acceptance={"stress": False})
        assert status == 2
        assert result["error"]["message"].endswith("choose another calculator, or set relax.cell to fixed.")

    def test_a_calculator_that_says_it_has_not_converged_is_believed(self, execute, monkeypatch):
        class Vasp(EMT):
            converged = False

        module = ModuleType("unconverged")
        module.make = Vasp
        monkeypatch.setitem(sys.modules, "unconverged", module)
        status, result = execute(copper(1), calculator={"name": "unconverged:make", "allow_import": True})
        assert status == 4
        assert result["error"]["message"].endswith("frame 0: its electronic structure is not converged.")


class TestIsolatedAtoms:
    def atom(self, symbol: str) -> Atoms:
        atom = Atoms(symbol, cell=(12.0, 12.1, 12.2), pbc=True)
        atom.center()
        atom.info["config_type"] = "isolated_atom"
        return atom

    def test_they_are_labelled_without_stress_at_the_same_level(self, execute):
        status, result = execute([self.atom("Cu"), self.atom("Al")], calculator="emt")
        frames = Frames.load("labelled.npz")
        assert status == 0
        assert not frames.has_stress
        _, alone = execute(task="isolated_atoms", calculator="emt", species=["Cu", "Al"])
        assert alone["outputs"]["settings_hash"] == result["outputs"]["settings_hash"]
        assert frames.energy.tolist() == pytest.approx([alone["outputs"]["isolated_atoms_ev"][s] for s in ("Cu", "Al")])

    def test_beside_crystals_they_are_refused(self, execute):
        status, result = execute([*copper(1), self.atom("Cu")], calculator="emt")
        assert status == 2
        assert result["error"]["message"].startswith("Frame 1 is an isolated atom, others are not")

    def test_a_calculator_that_has_none_says_so(self, execute):
        status, result = execute([self.atom("Li")], calculator="chgnet")
        assert status == 2
        assert result["error"]["message"].startswith("CHGNet was trained on crystals")


class TestRelax:
    def test_relaxed_copper_has_the_lattice_of_emt(self, execute):
        atoms = bulk("Cu", "fcc", a=3.75, cubic=True)
        atoms.rattle(0.03, seed=0)
        status, result = execute(
            [atoms], task="relax", calculator="emt", relax={"steps": 200, "fmax_ev_per_ang": 0.005}
        )
        report = result["outputs"]["reports"][0]
        frames = Frames.load("labelled.npz")
        assert status == 0
        assert report["converged"]
        # 3.59 Å is the minimum of E(a) of ASE's EMT.
        assert report["cell_lengths_ang"] == pytest.approx([3.59] * 3, abs=0.01)
        assert np.abs(frames.stress).max() < 1e-3
        assert frames.parent_id[0] == Frames.from_atoms([atoms]).frame_ids[0]

    def test_a_fixed_cell_stays(self, execute):
        images = copper(1)
        execute(images, task="relax", calculator="emt", relax={"steps": 3, "cell": "fixed"})
        assert Frames.load("labelled.npz").cells[0] == pytest.approx(images[0].cell.array)

    def test_only_the_diagonal_of_the_cell_is_strained(self, execute):
        atoms = bulk("Cu", "fcc", a=3.7, cubic=True)
        atoms.set_cell([[3.7, 0.1, 0], [0, 3.7, 0], [0, 0, 3.7]], scale_atoms=True)
        execute([atoms], task="relax", calculator="emt", relax={"steps": 50})
        cell = Frames.load("labelled.npz").cells[0]
        assert cell[0, 1] / cell[1, 1] == pytest.approx(0.1 / 3.7)


class TestMd:
    md = {"steps": 120, "temperature_k": 300, "label_every": 10, "block_steps": 50, "gap_steps": 20, "seed": 1}  # noqa: RUF012

    def test_frames_know_start_step_and_time_block(self, execute):
        images = copper(2)
        status, _ = execute(images, task="md", calculator="emt", md=self.md)
        frames = Frames.load("labelled.npz")
        one = frames.select(range(len(frames) // 2))
        assert status == 0
        # Steps 50 and 60 lie in the gap, 120 too; step 0 is the start and never a frame.
        assert one.md_step.tolist() == [10, 20, 30, 40, 70, 80, 90, 100, 110]
        assert one.parent_id.tolist() == [Frames.from_atoms(images).frame_ids[0]] * 9
        assert [group[-4:] for group in one.group] == ["b000"] * 4 + ["b001"] * 5
        assert len(set(frames.group.tolist())) == 4
        assert set(frames.config_type.tolist()) == {"Cu"}

    def test_the_thermostat_holds_the_temperature(self, execute):
        md = {"steps": 400, "temperature_k": 300, "timestep_fs": 4, "friction_per_fs": 0.02, "block_steps": 400}
        _, result = execute(copper(1), task="md", calculator="emt", md=md)
        # 32 atoms fluctuate by 300 K √(2/93) = 44 K; the mean of 40 correlated frames stays within about 40
        # K.
        assert result["outputs"]["reports"][0]["mean_temperature_k"] == pytest.approx(300, abs=60)

    def test_a_nose_hoover_chain_holds_the_temperature_of_the_atoms_that_move(self, execute):
        # 4 atoms have 9 degrees of freedom; counted as 12 they would run at 400 K.
        md = {"steps": 6000, "temperature_k": 300, "timestep_fs": 5, "thermostat": "nose-hoover", "damping_fs": 50}
        _, result = execute(copper(1, repeat=1), task="md", calculator="emt", md={**md, "block_steps": 6000})
        report = result["outputs"]["reports"][0]
        assert report["n_frames"] == 599
        assert report["mean_temperature_k"] == pytest.approx(300, abs=15)

    def test_thermostats_differ_and_each_repeats_itself(self, execute):
        found = []
        for thermostat in ("langevin", "nose-hoover", "nose-hoover"):
            execute(copper(1), task="md", calculator="emt", md={**self.md, "thermostat": thermostat})
            found.append(Path("labelled.npz").read_bytes())
        assert found[0] != found[1] == found[2]

    def test_a_run_does_not_depend_on_its_place_in_the_file(self, execute):
        images = copper(2)
        execute(images, task="md", calculator="emt", md=self.md)
        second = Frames.load("labelled.npz").select(range(9, 18))
        execute(images[1:], task="md", calculator="emt", md=self.md)
        alone = Frames.load("labelled.npz")
        assert alone.group.tolist() == second.group.tolist()
        # Bit by bit: the neighbour lists of EMT would remember the run before, were it not made to forget it.
        assert alone.frame_ids == second.frame_ids

    def test_a_labelled_start_is_known_by_its_label_too(self, execute, tmp_path):
        execute(copper(1), calculator="emt")
        labelled = Frames.load("labelled.npz")
        labelled.save("start.npz")
        execute(task="md", calculator="emt", md=self.md, frames="start.npz")
        assert set(Frames.load("labelled.npz").parent_id.tolist()) == set(labelled.frame_ids)
        assert labelled.frame_ids != labelled.structure_ids

    def test_another_seed_is_another_run(self, execute):
        execute(copper(1), task="md", calculator="emt", md=self.md)
        first = Frames.load("labelled.npz")
        execute(copper(1), task="md", calculator="emt", md={**self.md, "seed": 2})
        assert not set(first.frame_ids) & set(Frames.load("labelled.npz").frame_ids)

    def test_a_run_that_breaks_keeps_what_it_had(self, execute):
        hot = {"steps": 200, "temperature_k": 300, "timestep_fs": 60, "label_every": 1, "block_steps": 200}
        status, result = execute(copper(1), task="md", calculator=LJ, md=hot)
        failure = result["outputs"]["failures"][0]
        assert status == 0
        assert failure["index"] == 0
        assert failure["reason"].startswith("its run ended before MD step")
        assert len(Frames.load("labelled.npz")) == result["outputs"]["n_labelled"] < 200


class TestRefusals:
    """Each obvious mistake is answered with one sentence that names it."""

    def message(self, outcome) -> str:
        status, result = outcome
        assert status == 2
        assert result["error"]["kind"] == "invalid_input"
        assert not Path("labelled.npz").exists()
        return result["error"]["message"]

    def test_a_species_the_calculator_does_not_know(self, execute):
        message = self.message(execute([crystal("Li2S")], calculator="emt"))
        assert message.startswith("The calculator 'emt' does not know Li, S (it knows Al, ")

    def test_a_species_the_job_does_not_allow(self, execute):
        assert "holds Cu" in self.message(execute(copper(1), calculator=LJ, species=["Li", "S"]))

    def test_atoms_on_top_of_each_other(self, execute):
        images = copper(2)
        images[1].positions[5] = images[1].positions[7] + [0.3, 0, 0]
        assert "Frame 1 (Cu) has atoms 5 and 7 only 0.30 Å apart" in self.message(execute(images, calculator="emt"))

    def test_missing_periodicity(self, execute):
        images = copper(1)
        images[0].pbc = [True, True, False]
        assert "is not periodic in all directions" in self.message(execute(images, calculator="emt"))

    def test_positions_that_are_not_numbers(self, execute):
        images = copper(1)
        images[0].positions[0, 0] = np.nan
        assert "NaN or infinite positions" in self.message(execute(images, calculator="emt"))

    def test_an_unknown_calculator(self, execute):
        assert "There is no calculator 'pbe': known are chgnet" in self.message(execute(copper(1), calculator="pbe"))

    def test_missing_frames(self, execute):
        assert "no frames file" in self.message(execute(calculator="emt", frames="nothing.npz"))

    def test_no_frames_at_all(self, execute):
        empty = Frames(
            positions=np.empty((0, 3)),
            numbers=np.empty(0, dtype=np.int64),
            offsets=np.zeros(1, dtype=np.int64),
            cells=np.empty((0, 3, 3)),
            pbc=np.empty((0, 3), dtype=bool),
            config_type=np.empty(0, dtype=str),
            group=np.empty(0, dtype=str),
            parent_id=np.empty(0, dtype=str),
            md_step=np.empty(0, dtype=np.int64),
        )
        empty.save("empty.npz")
        assert "holds no frame" in self.message(execute(calculator="emt", frames="empty.npz"))

    def test_isolated_atoms_of_a_calculator_that_has_none(self, execute):
        message = self.message(execute(task="isolated_atoms", calculator="chgnet", species=["Li"]))
        assert "no energies of isolated atoms" in message


def test_a_calculator_that_is_not_installed_has_a_status_of_its_own(execute, monkeypatch):
    monkeypatch.setitem(sys.modules, "chgnet.model.dynamics", None)
    status, result = execute(copper(1), calculator="chgnet")
    assert status == 3
    assert "pip install 'aiida-seireact[label]'" in result["error"]["message"]


def test_isolated_atoms_have_their_energy(execute):
    status, result = execute(task="isolated_atoms", calculator="emt", species=["Cu", "Al"])
    copper_atom = Atoms("Cu")
    copper_atom.calc = EMT()
    assert status == 0
    assert set(result["outputs"]["isolated_atoms_ev"]) == {"Cu", "Al"}
    assert result["outputs"]["isolated_atoms_ev"]["Cu"] == pytest.approx(copper_atom.get_potential_energy())


def test_frames_may_be_extended_xyz(execute, tmp_path):
    Frames.from_atoms(copper(2)).to_extxyz(tmp_path / "frames.extxyz")
    status, result = execute(calculator="emt", frames="frames.extxyz")
    assert (status, result["outputs"]["n_labelled"]) == (0, 2)


@pytest.mark.timeout(300)
def test_the_program_labels_lithium_sulfide_with_chgnet(tmp_path):
    """The real program: -1.5 eV/atom formation aside, CHGNet holds Li2S near 5.7 Å and the result is
    whole."""
    images = [crystal("Li2S"), crystal("Li2S", a=5.5)]
    Frames.from_atoms(images).save(tmp_path / "frames.npz")
    (tmp_path / "job.json").write_text(json.dumps({"calculator": "chgnet", "frames": "frames.npz"}))
    command = [sys.executable, "-c", "from aiida_seireact.programs.label import main; main()", "job.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["schema"] == "seireact-label/1"
    assert result["outputs"]["calculator"]["model"] == "0.3.0"
    assert result["outputs"]["failures"] == []
    frames = Frames.load(tmp_path / "labelled.npz")
    # Perfect crystals: no forces by symmetry (float32), pressure rises by compression, the energy too.
    assert np.abs(frames.forces).max() < 1e-3
    assert frames.stress[1, 0] < frames.stress[0, 0]
    assert frames.energy[1] > frames.energy[0]
