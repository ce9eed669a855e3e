"""seireact-flare with the real FLARE, on a Cu-Al crystal labelled by EMT: it learns, asks, goes on exactly, refuses."""

from __future__ import annotations

import importlib
import json
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from click.testing import CliRunner

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.flare import FlareJob
from aiida_seireact.formats.leg_state import LegState
from aiida_seireact.formats.sgp import load_gp, save_gp
from aiida_seireact.programs import flare
from aiida_seireact.science.sparse_gp import SparseGPCalculator, standard_deviations
from tests.programs.conftest import call

pytest.importorskip("flare.bffs.sgp._C_flare", reason="mir-flare is not installed")

LEVEL = "e" * 64
SETTINGS: dict[str, Any] = {
    "ensemble": "npt",
    "temperature_k": 600,
    "steps": 60,
    "seed": 1,
    "call_threshold": 0.03,
    "learn_threshold": 0.01,
    "label_every": 8,
    "gap_steps": 5,
    "visit_every": 4,
    "gp": {"cutoff_ang": 4.0, "n_max": 4, "l_max": 2, "first_atoms": 5},
}
FILES = ("sgp.npz", "state.npz", "trace.npz", "canary.npz", "asked.npz", "visited.npz")


def alloy() -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.65, cubic=True) * (2, 2, 1)
    atoms.symbols[[0, 5, 9]] = "Al"
    atoms.info.update(config_type="alloy", group="start")
    return atoms


def labelled(images: Iterable[Atoms], *, level: str = LEVEL) -> Frames:
    done = []
    for atoms in images:
        atoms.calc = EMT()
        atoms.get_forces(), atoms.get_stress()
        done.append(atoms)
    return Frames.from_atoms(done, labels="required", settings_hash=level)


def rattled(count: int = 3, *, seed: int = 0) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        atoms = alloy()
        atoms.set_cell(atoms.cell.array * (1 + 0.02 * rng.normal()), scale_atoms=True)
        atoms.rattle(0.06, rng=rng)
        images.append(atoms)
    return images


def prepared(folder: Path, **settings: Any) -> dict[str, Any]:
    """Write start and first labels; return the job of the first leg."""
    Frames.from_atoms([alloy()]).save(folder / "start.npz")
    labelled(rattled()).save(folder / "round_000.npz")
    return {"settings": {**SETTINGS, **settings}, "labels": ["round_000.npz"], "start": "start.npz"}


def leg(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    return flare.run(FlareJob.model_validate(job), folder, lambda line: None)


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """One leg that ends unsure; and the label it asks for."""
    folder = tmp_path_factory.mktemp("leg1")
    job = prepared(folder)
    outputs = leg(folder, job)
    labelled(Frames.load(folder / "asked.npz").iter_atoms()).save(folder / "round_001.npz")
    return folder, job, outputs


@pytest.fixture
def second(first: tuple[Path, dict[str, Any], dict[str, Any]], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of its folder, and the job of the next leg."""
    folder, job, _ = first
    shutil.copytree(folder, tmp_path / "leg2")
    for name in ("sgp", "state"):
        (tmp_path / "leg2" / f"{name}.npz").rename(tmp_path / "leg2" / f"last_{name}.npz")
    labels = ["round_000.npz", "round_001.npz"]
    return tmp_path / "leg2", {**job, "labels": labels, "gp": "last_sgp.npz", "state": "last_state.npz"}


class TestFirstLeg:
    def test_all_its_labels_are_learned(self, first) -> None:
        folder, _, outputs = first
        gp = load_gp(folder / "sgp.npz")
        assert gp.frame_ids == tuple(Frames.load(folder / "round_000.npz").frame_ids)
        assert outputs["n_frames_learned"] == outputs["n_frames_added"] == 3
        assert outputs["n_sparse"] == outputs["n_sparse_added"] == gp.n_sparse
        assert len(gp.sparse_atoms[0]) == 5
        assert all(gp.sparse_atoms)
        assert (gp.species, gp.settings_hash, gp.content_hash) == (("Al", "Cu"), LEVEL, outputs["gp_hash"])
        # Of one composition, energies of atoms are told apart by no label, but their sum is.
        energies = Frames.load(folder / "round_000.npz").energy
        assert 3 * gp.energies_ev[0] + 13 * gp.energies_ev[1] == pytest.approx(energies.mean())

    def test_it_ends_at_the_first_step_it_is_unsure(self, first) -> None:
        folder, _, outputs = first
        trace, asked = arrays(folder / "trace.npz"), Frames.load(folder / "asked.npz")
        assert outputs["status"] == "unsure"
        assert trace["step"].tolist() == list(range(outputs["step"] + 1))
        assert (trace["max_std"][:-1] <= 0.03).all()
        assert trace["max_std"][-1] > 0.03
        stds = standard_deviations(load_gp(folder / "sgp.npz"), asked.to_atoms(len(asked) - 1))
        assert stds.max() == pytest.approx(trace["max_std"][-1], abs=1e-12)
        assert stds.argmax() == trace["max_std_atom"][-1]
        assert outputs["asked_step"] == outputs["step"] == LegState.load(folder / "state.npz").asked_step

    def test_frames_tell_where_they_come_from(self, first) -> None:
        folder, _, outputs = first
        asked, visited = Frames.load(folder / "asked.npz"), Frames.load(folder / "visited.npz")
        start_id = Frames.load(folder / "start.npz").frame_ids[0]
        assert asked.md_step.tolist() == [*range(8, outputs["step"], 8), outputs["step"]]
        assert visited.md_step.tolist() == list(range(0, outputs["step"] + 1, 4))
        for frames in (asked, visited):
            assert set(frames.parent_id.tolist()) == {start_id}
            assert set(frames.config_type.tolist()) == {"alloy"}
            assert set(frames.group.tolist()) == {outputs["group"]}
            assert not frames.is_labelled
        assert outputs["group"].startswith(f"flare/{start_id[:12]}-s1-")
        assert outputs["group"].endswith("/leg001")

    def test_there_is_no_canary_yet(self, first) -> None:
        folder, _, outputs = first
        assert outputs["canary"] == []
        assert arrays(folder / "canary.npz")["std"].shape == (0,)

    def test_the_same_input_gives_the_same_bytes_and_another_seed_another_run(self, first, tmp_path) -> None:
        folder, job, outputs = first
        for name, seed in (("same", 1), ("other", 2)):
            (tmp_path / name).mkdir()
            prepared(tmp_path / name)
            again = leg(tmp_path / name, {**job, "settings": {**job["settings"], "seed": seed}})
            assert (again == outputs) == (name == "same")
        for file in FILES:
            assert (tmp_path / "same" / file).read_bytes() == (folder / file).read_bytes(), file
        assert (tmp_path / "other" / "state.npz").read_bytes() != (folder / "state.npz").read_bytes()

    def test_an_uncertain_start_is_a_call_and_the_next_leg_goes_on(self, tmp_path) -> None:
        job = prepared(tmp_path, call_threshold=0.001, learn_threshold=0.0009)
        outputs = leg(tmp_path, job)
        assert (outputs["status"], outputs["step"], outputs["asked_step"], outputs["n_asked"]) == ("unsure", 0, 0, 1)
        labelled(Frames.load(tmp_path / "asked.npz").iter_atoms()).save(tmp_path / "round_001.npz")
        labels = [*job["labels"], "round_001.npz"]
        outputs = leg(tmp_path, {**job, "labels": labels, "gp": "sgp.npz", "state": "state.npz"})
        assert outputs["step"] > 0
        assert outputs["n_frames_added"] == 1

    def test_a_threshold_that_always_asks_is_told_in_the_first_leg(self, first, tmp_path) -> None:
        assert (first[2]["threshold"], first[2]["threshold_message"]) == ("works", "")
        outputs = leg(tmp_path, prepared(tmp_path, call_threshold=0.0005, learn_threshold=0.0004))
        assert outputs["threshold"] == "always"
        assert 0.0005 < outputs["threshold_suggested"] < 1
        assert f"set call_threshold to about {outputs['threshold_suggested']:g}" in outputs["threshold_message"]

    def test_and_so_is_one_that_never_does(self, tmp_path) -> None:
        outputs = leg(tmp_path, prepared(tmp_path, call_threshold=0.9))
        assert outputs["threshold"] == "never"
        assert "call_threshold to about" in outputs["threshold_message"]


class TestNextLeg:
    def test_the_label_asked_for_is_learned_and_the_others_are_measured(self, second) -> None:
        folder, job = second
        before = load_gp(folder / "last_sgp.npz")
        asked_step = LegState.load(folder / "last_state.npz").asked_step
        outputs = leg(folder, job)
        new = Frames.load(folder / "round_001.npz")
        assert outputs["leg"] == 2
        assert outputs["first_step"] == asked_step
        assert [row["frame_id"] for row in outputs["canary"]] == new.frame_ids
        assert [row["learned"] for row in outputs["canary"]] == [step == asked_step for step in new.md_step]
        gp = load_gp(folder / "sgp.npz")
        assert gp.frame_ids == (*before.frame_ids, new.frame_ids[-1])
        assert outputs["n_sparse_added"] == len(gp.sparse_atoms[-1]) == gp.n_sparse - before.n_sparse > 0
        # The canary is of the GP before it learned, the trace of the one after.
        atoms = new.to_atoms(len(new) - 1)
        true = atoms.get_forces()
        atoms.calc = SparseGPCalculator(before)
        row, per_atom = outputs["canary"][-1], arrays(folder / "canary.npz")
        wrong = atoms.get_forces() - true
        assert row["force_rmse_ev_per_ang"] == pytest.approx(np.sqrt((wrong**2).mean()))
        assert row["max_std"] > 0.03
        assert per_atom["std"].shape == (16 * len(new),)
        assert per_atom["force_error"][-16:] == pytest.approx(np.linalg.norm(wrong, axis=1))
        trace = arrays(folder / "trace.npz")
        assert trace["step"][0] == asked_step
        assert trace["max_std"][0] < row["max_std"]
        assert not outputs["went_on_unsure"]

    def test_hyperparameters_are_fitted_after_the_rounds_named(self, second) -> None:
        folder, job = second
        before = load_gp(folder / "last_sgp.npz")
        assert not leg(folder, job)["optimised"]
        assert load_gp(folder / "sgp.npz").noises == before.noises
        settings = {**job["settings"], "gp": {**job["settings"]["gp"], "optimise_at": [2]}}
        fresh = {"settings": settings, "labels": ["round_000.npz"], "start": "start.npz"}
        leg(folder, fresh)
        labelled(Frames.load(folder / "asked.npz").iter_atoms()).save(folder / "round_001.npz")
        outputs = leg(folder, {**fresh, "labels": job["labels"], "gp": "sgp.npz", "state": "state.npz"})
        assert outputs["optimised"]
        assert outputs["noises"][1] != pytest.approx(0.1)

    def test_a_frame_of_another_condition_is_not_taken_for_the_one_asked_for(self, second) -> None:
        """Same start and step, another seed: its structure is another."""
        folder, job = second
        asked = Frames.load(folder / "asked.npz")
        other = asked.to_atoms(len(asked) - 1)
        other.rattle(0.01, seed=3)
        labelled([other]).save(folder / "round_001.npz")
        with pytest.raises(ValueError, match="The label of the frame at MD step .* is missing"):
            leg(folder, job)


def assert_same_end(found: Path, expected: Path) -> None:
    """Compare all that a leg left, number by number, and that to the last bit."""
    state, other = arrays(expected / "state.npz"), arrays(found / "state.npz")
    assert int(state["step"]) == 200
    for name in ("positions", "momenta", "cell", "cell_momentum", "cell_force"):
        assert np.abs(other[name] - state[name]).max() < 1e-9, name
    for name in set(state) - {"leg"}:
        assert other[name].tobytes() == state[name].tobytes(), name
    assert (found / "sgp.npz").read_bytes() == (expected / "sgp.npz").read_bytes()


class TestExactness:
    @pytest.mark.parametrize("ensemble", ["nvt", "npt"])
    def test_legs_that_add_up_to_200_steps_are_one_of_200(self, tmp_path, monkeypatch, ensemble) -> None:
        settings = {"ensemble": ensemble, "temperature_k": 300, "call_threshold": 0.9, "steps": 200, "label_every": 9}
        whole = tmp_path / "whole"
        whole.mkdir()
        assert leg(whole, prepared(whole, **settings))["status"] == "done"
        # Cut at three uneven places, by either setting.
        cuts = [{"leg_steps": 66}, {"steps": 67}, {"leg_steps": 90}, {}]
        parts, statuses = [], []
        for number, cut in enumerate(cuts):
            folder = tmp_path / f"part{number}"
            folder.mkdir()
            job = prepared(folder, **{**settings, **cut})
            if number:
                # Nothing to learn: FLARE is not even imported.
                monkeypatch.setitem(sys.modules, "aiida_seireact.programs._flare_gp", None)
                for name in ("sgp", "state"):
                    shutil.copy(parts[-1] / f"{name}.npz", folder / f"last_{name}.npz")
                job.update(gp="last_sgp.npz", state="last_state.npz")
            statuses.append(leg(folder, job)["status"])
            parts.append(folder)
        assert statuses == ["paused", "done", "paused", "done"]
        assert_same_end(parts[-1], whole)
        trace = arrays(whole / "trace.npz")
        for name, values in trace.items():
            pieces = [arrays(part / "trace.npz")[name][min(number, 1) :] for number, part in enumerate(parts)]
            assert np.concatenate(pieces).tobytes() == values.tobytes(), name
        for file in ("visited.npz", "asked.npz"):
            joined = [Frames.load(part / file) for part in parts if (part / file).exists()]
            assert Frames.concatenate(joined).frame_ids == Frames.load(whole / file).frame_ids

    @pytest.mark.slow
    def test_so_are_legs_that_are_processes_of_their_own(self, tmp_path) -> None:
        settings = {"temperature_k": 300, "call_threshold": 0.9, "steps": 200}
        whole, cut = tmp_path / "whole", tmp_path / "cut"
        for folder, pauses, legs in ((whole, {}, 1), (cut, {"leg_steps": 50}, 4)):
            folder.mkdir()
            job = prepared(folder, **settings, **pauses)
            for number in range(legs):
                if number:
                    job.update(gp="last_sgp.npz", state="last_state.npz")
                    for name in ("sgp", "state"):
                        (folder / f"{name}.npz").rename(folder / f"last_{name}.npz")
                (folder / "job.json").write_text(json.dumps(job))
                command = [sys.executable, "-m", "aiida_seireact.programs.flare", "job.json"]
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
        assert_same_end(cut, whole)

    @pytest.mark.parametrize("ensemble", ["nvt", "npt"])
    def test_a_run_cut_by_pauses_asks_for_the_same_frames(self, tmp_path, ensemble) -> None:
        """Cut each few steps, labels of what a pause hands out brought at once: same frames, groups, GP, state."""
        settings = {
            "ensemble": ensemble,
            "label_every": 4,
            "gap_steps": 6,
            "gp": {**SETTINGS["gp"], "optimise_at": [2]},
        }
        ends = []
        for name, pauses in (("whole", {}), ("cut", {"leg_steps": 5})):
            folder = tmp_path / name
            folder.mkdir()
            job = prepared(folder, **{**settings, **pauses})
            asked, statuses, canary = [], [], []
            while statuses.count("unsure") < 3 and "done" not in statuses:
                outputs = leg(folder, job)
                statuses.append(outputs["status"])
                canary += [(row["frame_id"], row["learned"], row["max_std"]) for row in outputs["canary"]]
                if outputs["n_asked"]:
                    label = f"round_{len(job['labels']):03d}.npz"
                    asked.append(Frames.load(folder / "asked.npz"))
                    labelled(Frames.load(folder / "asked.npz").iter_atoms()).save(folder / label)
                    job["labels"].append(label)
                job.update(gp="sgp.npz", state="state.npz")
            assert ("paused" in statuses) == bool(pauses)
            frames = Frames.concatenate(asked)
            ends.append((frames.frame_ids, frames.group.tolist(), canary, arrays(folder / "state.npz")))
        (*whole, measured, expected), (*cut, measured_too, found) = ends
        assert whole == cut
        assert len(set(whole[1])) == 3
        # What the last part handed out was measured already where it was cut.
        assert measured_too[: len(measured)] == measured
        for name in set(expected) - {"leg", "seen_ids"}:
            assert found[name].tobytes() == expected[name].tobytes(), name

    def test_a_detour_is_another_way_from_the_same_state(self, second) -> None:
        folder, job = second
        usual = leg(folder, job)
        state = arrays(folder / "state.npz")
        detours = [leg(folder, {**job, "detour": 1}) for _ in range(2)]
        assert detours[0] == detours[1]
        assert detours[0]["gp_hash"] == usual["gp_hash"]
        assert detours[0]["group"] == usual["group"] + "-d1"
        other = arrays(folder / "state.npz")
        assert (int(other["detours"]), int(state["detours"])) == (1, 0)
        assert not np.array_equal(other["positions"], state["positions"])
        leg(folder, {**job, "detour": 2})
        assert not np.array_equal(arrays(folder / "state.npz")["positions"], other["positions"])

    def test_a_detour_of_the_first_leg_starts_otherwise(self, first, tmp_path) -> None:
        folder, _, usual = first
        outputs = leg(tmp_path, {**prepared(tmp_path), "detour": 1})
        assert outputs["gp_hash"] == usual["gp_hash"]
        states = [arrays(place / "state.npz") for place in (folder, tmp_path)]
        assert not np.array_equal(states[0]["positions"], states[1]["positions"])

    def test_a_run_that_is_done_may_be_made_longer(self, tmp_path) -> None:
        job = prepared(tmp_path, call_threshold=0.9, steps=10)
        assert leg(tmp_path, job)["status"] == "done"
        labelled(Frames.load(tmp_path / "asked.npz").iter_atoms()).save(tmp_path / "round_001.npz")
        job["settings"]["steps"] = 12
        labels = [*job["labels"], "round_001.npz"]
        outputs = leg(tmp_path, {**job, "labels": labels, "gp": "sgp.npz", "state": "state.npz"})
        assert (outputs["first_step"], outputs["step"], outputs["n_frames_added"]) == (10, 12, 0)
        assert [row["md_step"] for row in outputs["canary"]] == [8]
        assert not outputs["canary"][0]["learned"]
        # In its gap nothing is handed out; of 11 and 12 the trajectory keeps one.
        assert outputs["files"]["asked"] is None
        assert outputs["n_visited"] == 1
        assert not (tmp_path / "asked.npz").exists()


class TestAlone:
    def test_md_needs_no_flare_and_unpickles_nothing(self, tmp_path, monkeypatch) -> None:
        """`sgp.npz` and `state.npz` are all that a leg without learning is given."""
        job = prepared(tmp_path, call_threshold=0.9, steps=10, leg_steps=5)
        assert leg(tmp_path, job)["status"] == "paused"

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("something was unpickled")

        for module in (pickle, torch):
            for name in {"load", "loads", "Unpickler"} & set(dir(module)):
                monkeypatch.setattr(module, name, refuse)
        for name in [name for name in sys.modules if name.partition(".")[0] == "flare"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "flare", None)
        with pytest.raises(ImportError):
            importlib.import_module("flare.bffs.sgp._C_flare")
        outputs = leg(tmp_path, {**job, "gp": "sgp.npz", "state": "state.npz"})
        assert (outputs["status"], outputs["first_step"], outputs["step"]) == ("done", 5, 10)
        monkeypatch.undo()


def test_learning_counts_among_the_seconds_of_a_leg(tmp_path, monkeypatch) -> None:
    clock, past, learn = time.monotonic, [0.0], flare.learn

    def slow(*given: Any) -> Any:
        past[0] += 3000.0
        return learn(*given)

    monkeypatch.setattr(flare, "learn", slow)
    monkeypatch.setattr(time, "monotonic", lambda: clock() + past[0])
    outputs = leg(tmp_path, prepared(tmp_path, seconds_max=3000.0))
    assert (outputs["status"], outputs["step"]) == ("paused", 1)


class TestMemory:
    def test_a_leg_that_will_not_fit_is_refused_before_it_learns(self, second) -> None:
        folder, job = second
        (folder / "asked.npz").unlink()
        status, result, _ = call(flare.main, folder, {**job, "settings": {**job["settings"], "memory_gb": 0.3}})
        assert status == 4
        assert result["error"]["kind"] == "too_little_memory"
        message = result["error"]["message"]
        assert message.startswith("Learning 1 frames beside 3 needs about 0.4 GB, and 0.3 GB are memory_gb: each frame")
        assert (
            "(16 atoms, 108 features). Learn fewer frames, at most 0 fit; or take a smaller descriptor (n_max 1: 9"
            in message
        )
        assert not (folder / "sgp.npz").exists()

    def test_the_first_leg_is_too(self, tmp_path) -> None:
        status, result, _ = call(flare.main, tmp_path, prepared(tmp_path, memory_gb=0.3))
        assert (status, result["error"]["kind"]) == (4, "too_little_memory")
        assert "Learning 3 frames beside 0" in result["error"]["message"]

    def test_a_limit_is_no_part_of_the_run(self, first, tmp_path) -> None:
        outputs = leg(tmp_path, prepared(tmp_path, memory_gb=50.0))
        assert outputs == first[2]


class TestRefusals:
    """Each mistake is one sentence that says what, where and what to do."""

    def message(self, folder: Path, job: dict[str, Any]) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            Path("job.json").write_text(json.dumps(job))
            status = CliRunner().invoke(flare.main, ["job.json"]).exit_code
            result = json.loads(Path("result.json").read_text())
        assert status == 2
        assert result["error"]["kind"] == "invalid_input"
        assert not (folder / "sgp.npz").exists()
        return result["error"]["message"]

    @pytest.mark.parametrize("value", [0, 1])
    def test_a_threshold_that_never_or_always_asks(self, second, value) -> None:
        folder, job = second
        message = self.message(folder, {**job, "settings": {**SETTINGS, "call_threshold": value}})
        assert "settings.call_threshold: the uncertainty is relative to the signal, so it is at most 1" in message

    def test_labels_of_two_levels_of_theory(self, second) -> None:
        folder, job = second
        labelled(rattled(1), level="f" * 64).save(folder / "round_001.npz")
        message = self.message(folder, job)
        assert "round_000.npz (eeeeeeeeeeee) and round_001.npz (ffffffffffff) were made with different" in message

    def test_labels_of_another_level_than_the_gp(self, second) -> None:
        folder, job = second
        for name in job["labels"]:
            labelled(Frames.load(folder / name).iter_atoms(), level="f" * 64).save(folder / name)
        assert "learned labels of the settings eeeeeeeeeeee, but these are of ffffffffffff" in self.message(folder, job)

    def test_a_state_of_another_species_set(self, second) -> None:
        folder, job = second
        atoms = alloy()
        atoms.symbols[[0, 5, 9]] = "Ag"
        Frames.from_atoms([atoms]).save(folder / "start.npz")
        labelled([atoms]).save(folder / "round_000.npz")
        message = self.message(folder, {**job, "labels": ["round_000.npz"]})
        assert message.startswith("The state last_state.npz is of Al, Cu, but the start start.npz of Cu, Ag: give")

    def test_a_torn_state(self, second) -> None:
        folder, job = second
        whole = (folder / "last_state.npz").read_bytes()
        (folder / "last_state.npz").write_bytes(whole[: len(whole) // 2])
        assert "last_state.npz is not a whole state of a leg" in self.message(folder, job)

    def test_a_torn_gp(self, second) -> None:
        folder, job = second
        (folder / "last_sgp.npz").write_bytes(b"PK\x03\x04")
        assert "last_sgp.npz is not a whole file of a Gaussian process" in self.message(folder, job)

    def test_the_label_asked_for_is_missing(self, second) -> None:
        folder, job = second
        frames = Frames.load(folder / "round_001.npz")
        step = int(frames.md_step[-1])
        message = self.message(folder, {**job, "labels": ["round_000.npz"]})
        assert message.startswith(f"The label of the frame at MD step {step} is missing")
        frames.select(range(len(frames) - 1)).save(folder / "round_001.npz")
        assert message == self.message(folder, job)

    def test_a_label_that_is_not_a_number(self, second) -> None:
        folder, job = second
        frames = Frames.load(folder / "round_001.npz")
        frames.forces[3, 1] = np.nan
        frames.save(folder / "round_001.npz")
        assert "has a label with NaN in its forces" in self.message(folder, job)

    def test_frames_without_labels(self, second) -> None:
        folder, job = second
        Frames.from_atoms(rattled(), labels="ignore").save(folder / "round_001.npz")
        assert "round_001.npz have no energy, forces and stress: label them" in self.message(folder, job)

    def test_labels_of_foreign_species(self, second) -> None:
        folder, job = second
        atoms = bulk("Ni", cubic=True)
        labelled([atoms]).save(folder / "round_001.npz")
        assert "round_001.npz hold Ni, but the start has only Al, Cu" in self.message(folder, job)

    def test_labels_the_gp_learned_are_gone(self, second) -> None:
        folder, job = second
        assert "3 frames that the GP learned are not among the labels" in self.message(
            folder, {**job, "labels": ["round_001.npz"]}
        )

    def test_another_start(self, second) -> None:
        folder, job = second
        Frames.from_atoms(rattled(1), labels="ignore").save(folder / "start.npz")
        assert "belongs to a run from the frame" in self.message(folder, job)

    def test_several_starts(self, second) -> None:
        folder, job = second
        Frames.from_atoms(rattled(2), labels="ignore").save(folder / "start.npz")
        assert "starts from one frame, but start.npz holds 2" in self.message(folder, job)

    def test_other_settings(self, second) -> None:
        folder, job = second
        message = self.message(folder, {**job, "settings": {**SETTINGS, "temperature_k": 300}})
        assert "written under other settings: only `steps`, `leg_steps`, `seconds_max` and `memory_gb` may" in message

    def test_a_gp_of_another_leg(self, second) -> None:
        folder, job = second
        settings = {**SETTINGS, "gp": {**SETTINGS["gp"], "first_atoms": 3}}
        leg(folder, {**prepared(folder), "settings": settings})
        gp = load_gp(folder / "sgp.npz")
        (folder / "sgp.npz").unlink()
        save_gp(folder / "last_sgp.npz", gp)
        assert "is not the one that the run of last_state.npz ended with" in self.message(folder, job)

    def test_other_energies_of_atoms(self, second) -> None:
        folder, job = second
        message = self.message(folder, {**job, "energies_ev": {"Al": 0.0, "Cu": 0.0}})
        assert "they stay the same through all legs" in message

    def test_a_species_without_energy(self, tmp_path) -> None:
        job = prepared(tmp_path)
        assert "energies_ev has no Cu" in self.message(tmp_path, {**job, "energies_ev": {"Al": 0.0}})
        labelled([bulk("Cu", cubic=True)]).save(tmp_path / "round_000.npz")
        assert self.message(tmp_path, job).startswith("No label holds Al, which the start has")


def test_without_flare_there_is_a_status_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.json").write_text(json.dumps(prepared(tmp_path)))
    monkeypatch.setitem(sys.modules, "flare.bffs.sgp._C_flare", None)
    assert CliRunner().invoke(flare.main, ["job.json"]).exit_code == 3
    error = json.loads(Path("result.json").read_text())["error"]
    assert error["kind"] == "missing_package"
    assert "make install" in error["message"]


def test_energies_of_atoms_may_be_given(tmp_path) -> None:
    outputs = leg(tmp_path, {**prepared(tmp_path, steps=1), "energies_ev": {"Cu": 0.1, "Al": 0.2, "Ni": 0.3}})
    assert outputs["energies_ev"] == {"Al": 0.2, "Cu": 0.1}


def test_the_program_runs_from_a_shell_and_explains_itself(tmp_path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(prepared(tmp_path)))
    command = [sys.executable, "-c", "from aiida_seireact.programs.flare import main; main()"]
    done = subprocess.run([*command, "job.json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["schema"] == "seireact-flare/1"
    assert result["outputs"]["status"] == "unsure"
    assert set(result["versions"]) == {"aiida-seireact", "mir-flare", "torch", "matscipy", "scipy", "ase", "numpy"}
    assert "absent" not in result["versions"].values()
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == sorted([*FILES, "round_000.npz", "start.npz"])
    helped = CliRunner().invoke(flare.main, ["--help"]).output
    assert '"call_threshold": 0.15' in helped
