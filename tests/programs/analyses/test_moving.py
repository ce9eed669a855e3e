"""``seireact-analyse`` on walkers of known coefficients: slow Li below, fast Li above, S that rattles, one far jump."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.cli.render.figures_transport import transport_pictures
from aiida_seireact.formats.environments import Labels
from aiida_seireact.programs import analyse

from ..conftest import call, write_dump

N_FRAMES, INTERVAL_PS = 401, 0.1  # of 50 steps
N_EACH, N_S = 30, 20
SLOW, FAST = 0.02, 0.4  # Å²/ps
JUMPER = 2 * N_EACH + 3
HEIGHT = 40.0
OFF = dict.fromkeys(("thickness", "health", "composition", "phases", "rdf", "msd"))


def paths() -> np.ndarray:
    """Unwrapped positions, ``(n_frames, n_atoms, 3)``, with a drift of the whole cell; fast Li don't move along z."""
    rng = np.random.default_rng(5)
    start = rng.random((2 * N_EACH + N_S, 3)) * [10, 10, 0.45 * HEIGHT] + [0, 0, 0.02 * HEIGHT]
    start[N_EACH : 2 * N_EACH, 2] += 0.5 * HEIGHT
    steps = np.zeros((N_FRAMES, len(start), 3))
    steps[:, :N_EACH] = rng.normal(scale=np.sqrt(2 * SLOW * INTERVAL_PS), size=(N_FRAMES, N_EACH, 3))
    steps[:, N_EACH : 2 * N_EACH] = rng.normal(scale=np.sqrt(2 * FAST * INTERVAL_PS), size=(N_FRAMES, N_EACH, 3))
    steps[:, N_EACH : 2 * N_EACH, 2] = 0.0
    steps[0] = 0.0
    steps[250, JUMPER] = [12.0, 0.0, 0.0]
    found = start + np.cumsum(steps, axis=0)
    found[:, 2 * N_EACH :] += rng.normal(scale=0.1, size=(N_FRAMES, N_S, 3))
    return found + np.arange(N_FRAMES)[:, None, None] * np.array([0.02, 0.0, 0.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moving")
    symbols = ["Li"] * 2 * N_EACH + ["S"] * N_S
    images = [Atoms(symbols, frame, cell=[10, 10, HEIGHT], pbc=True) for frame in paths()]
    write_dump(folder / "run.dump", images)
    # Labels of Li at every 100th frame; the first fast one is slow from the second on.
    phase = np.tile(np.repeat([1, 2], N_EACH), (5, 1)).astype(np.int8)
    phase[1:, N_EACH] = 1
    Labels(
        steps=np.arange(0, 401, 100) * 50,
        atom_ids=np.arange(1, 2 * N_EACH + 1),
        labels=phase,
        clusters=np.zeros(phase.shape, dtype=np.int16),
        core=np.ones(phase.shape, dtype=bool),
        ratio=np.zeros(phase.shape, dtype=np.float32),
        z_fraction=np.zeros(phase.shape, dtype=np.float32),
        heights_ang=np.full(5, HEIGHT),
        label_names=np.array(["unknown", "slow", "fast"]),
        profile=np.zeros((3, 20), dtype=np.int64),
    ).save(folder / "labels.npz")
    return folder


JOB: dict[str, Any] = {"trajectory": {"files": ["run.dump"]}, "timestep_fs": 2.0, "labels": "labels.npz", **OFF}


def told(folder: Path, job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    status, result, _ = call(analyse.main, folder, {**JOB, **job})
    assert status == 0, result
    with np.load(folder / "analysis.npz") as archive:
        return result["outputs"], dict(archive)


def test_diffusion_in_plane_and_out_of_it_with_intervals(folder: Path) -> None:
    outputs, arrays = told(folder, {"diffusion": {"species": ["Li", "S"]}})
    lithium, sulfur = outputs["diffusion"]["Li"], outputs["diffusion"]["S"]
    low, high = lithium["in_plane"]["interval_95_cm2_per_s"]
    assert low < (SLOW + FAST) / 2 * 1e-4 < high
    low, high = lithium["out_of_plane"]["interval_95_cm2_per_s"]
    assert low < SLOW / 2 * 1e-4 < high
    assert lithium["regime"] in ("diffusive", "undecided")
    assert sulfur["regime"] in ("confined", "undecided")
    assert 0 < lithium["resolvable_cm2_per_s"] < 1e-4
    assert arrays["diffusion_species"].tolist() == ["Li", "S"]
    assert arrays["diffusion_directions"].tolist() == ["all", "xy", "z"]
    assert arrays["diffusion_cm2_per_s"][0, 0] == pytest.approx(lithium["d_cm2_per_s"])
    assert arrays["diffusion_low_cm2_per_s"][0, 1] < arrays["diffusion_high_cm2_per_s"][0, 1]
    assert arrays["diffusion_lag_ps"][1] == pytest.approx(0.1)
    assert arrays["diffusion_msd_ang2"].shape == arrays["diffusion_msd_low_ang2"].shape
    assert arrays["diffusion_msd_ang2"].shape[:2] == (2, 3)
    assert set(transport_pictures(arrays)) == {"diffusion"}


def test_lags_beyond_half_a_stretch_can_be_fitted(folder: Path) -> None:
    job = {**JOB, "diffusion": {"species": ["Li"], "last_lag": 0.8}}
    status, result, _ = call(analyse.main, folder, job)
    assert status == 0, result
    assert result["outputs"]["diffusion"]["Li"]["last_lag_ps"] == pytest.approx(0.8 * 8.0)


def test_windows_tell_phases_apart_and_who_stays(folder: Path) -> None:
    outputs, arrays = told(
        folder, {"windows": {"by": "phase", "length_ps": 10.0, "species": ["Li"], "temperature_k": 300.0}}
    )
    assert outputs["windows"]["n_windows"] == 4
    assert outputs["windows"]["groups"] == ["slow", "fast"]
    assert arrays["windows_steps"].tolist() == [0, 5000, 10000, 15000]
    # unknown, slow, fast; the first window knows one slow atom less.
    assert arrays["windows_counts"][:, :, 0].tolist() == [[0, 30, 30]] + [[0, 31, 29]] * 3
    slow, fast = arrays["windows_diffusion_cm2_per_s"][1:, 0, 0]
    assert fast == pytest.approx(FAST * 1e-4, rel=0.3)
    assert slow < 0.4 * fast
    low, high = (arrays[f"windows_diffusion_{side}_cm2_per_s"][2, 0, 0] for side in ("low", "high"))
    assert low < FAST * 1e-4 < high
    assert np.isnan(arrays["windows_diffusion_cm2_per_s"][0]).all()
    assert arrays["windows_regime"][0, 0, 0] == ""
    # Labels are known at both ends of windows only; one of 30 + 3 · 29 fast ones turned.
    assert arrays["windows_survival"][2, [0, -1]] == pytest.approx([1.0, 116 / 117])
    assert np.isnan(arrays["windows_survival"][2, 1])
    assert outputs["windows"]["stayed_at_end"]["slow"] == 1.0
    assert arrays["windows_onsager_volume_ang2_per_ev_ps"].shape == (3, 1, 1)
    assert arrays["windows_onsager_volume_ang2_per_ev_ps"][2, 0, 0] > 0
    assert arrays["windows_onsager_members"].tolist() == [0.0, 123 / 4, 117 / 4]
    assert arrays["windows_onsager_n_windows"].tolist() == [0, 4, 4]


@pytest.mark.parametrize("workers", [1, 2])
def test_templates_are_matched_once_a_frame(folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """A matcher that knows the answer, in place of OVITO: what is fast is bcc (3), all else other (0)."""
    seen: list[bytes] = []

    def matched(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, *, rmsd_max: float) -> np.ndarray:
        seen.append(positions.tobytes())
        found = np.zeros(len(positions), dtype=np.int8)
        found[N_EACH : 2 * N_EACH] = 3
        return found

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("aiida_seireact.programs.analyses.windows.template_matching", matched)
    settings = {"by": "phase", "phase_from": "ptm", "length_ps": 10.0, "n_lags": 20, "species": ["Li"]}
    outputs, arrays = told(folder, {"windows": settings, "labels": None, "workers": workers})
    assert outputs["windows"]["groups"] == ["other", "bcc"]
    assert arrays["windows_counts"][:, :, 0].tolist() == [[N_EACH, 0, 0, N_EACH]] * 4
    assert arrays["windows_diffusion_cm2_per_s"][3, 0, 0] == pytest.approx(FAST * 1e-4, rel=0.3)
    assert arrays["windows_survival"][[0, 3]] == pytest.approx(1.0)
    if workers == 1:  # else they are counted by the other processes
        assert len(seen) == len(set(seen)) == 4 * 20 + 1
    late = {**settings, "at_ps": [38.0]}
    status, result, _ = call(analyse.main, folder, {**JOB, "labels": None, "windows": late})
    assert status != 0
    assert "a window from 38 ps on ends after the run" in str(result)


def test_without_ovito_templates_say_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    job = {**JOB, "labels": None, "windows": {"by": "phase", "phase_from": "ptm", "length_ps": 10.0}}
    status, result, _ = call(analyse.main, folder, job)
    assert status == 3
    assert "pip install" in str(result)


def test_slabs_and_both_and_all(folder: Path) -> None:
    settings = {"length_ps": 8.0, "at_ps": [0.0, 10.0, 20.0], "n_slabs": 2}
    _, arrays = told(folder, {"windows": {**settings, "by": "slab", "temperature_k": 300.0}})
    assert arrays["windows_groups"].tolist() == ["z 0.00-0.50", "z 0.50-1.00"]
    assert arrays["windows_counts"][0].sum() == 2 * N_EACH + N_S
    # The S are below.
    assert arrays["windows_counts"][0, :, 1].tolist() == [N_S, 0]
    assert arrays["windows_diffusion_cm2_per_s"][1, 0, 0] == pytest.approx(FAST * 1e-4, rel=0.4)
    assert arrays["windows_survival"].shape == (2, 81)
    assert arrays["windows_onsager_per_ev_ang_ps"].shape == (2, 2, 2)
    assert arrays["windows_z_ang"].tolist() == [10.0, 30.0]
    assert set(transport_pictures(arrays)) == {"windows"}
    _, arrays = told(folder, {"windows": {**settings, "by": "both"}})
    assert arrays["windows_groups"][2:4].tolist() == ["slow z 0.00-0.50", "slow z 0.50-1.00"]
    assert arrays["windows_counts"][0, 2:, 0].tolist() == [N_EACH, 0, 0, N_EACH]
    assert set(transport_pictures(arrays)) == {"windows"}
    _, arrays = told(folder, {"windows": {**settings, "by": "none"}, "labels": None})
    assert not transport_pictures(arrays)
    assert arrays["windows_counts"][:, 0, 0].tolist() == [2 * N_EACH] * 3


def test_who_jumped_and_from_where(folder: Path) -> None:
    outputs, arrays = told(folder, {"jumps": {"within_ps": 20.0, "species": ["S"]}})
    assert outputs["jumps"]["n_jumps"] == 1
    assert outputs["jumps"]["n_windows"] == 2
    assert outputs["jumps"]["share"] == 1 / 40
    assert arrays["jumps_ids"].tolist() == [JUMPER + 1]
    assert arrays["jumps_steps"].tolist() == [200 * 50]
    assert arrays["jumps_from_ang"][0] == pytest.approx(paths()[200, JUMPER] % [10, 10, HEIGHT], abs=1e-5)
    # The drift of the cell, with the walkers' own, is left out.
    assert arrays["jumps_moved_ang"][0] == pytest.approx([12.0, 0.0, 0.0], abs=1.5)
    outputs, _ = told(folder, {"jumps": {"within_ps": 20.0, "species": ["S"], "at_ps": [0.0]}})
    assert outputs["jumps"]["n_jumps"] == 0


def test_a_cell_that_shrinks_makes_no_jump_and_keeps_who_is_where(tmp_path: Path) -> None:
    """700 Å that lose 3 %: 49 of 1,000 atoms at rest went farther than 10 Å, as their positions have it."""
    fractions = np.random.default_rng(1).random((1000, 3))
    heights = np.linspace(700.0, 679.0, 21)
    images = [Atoms("Li1000", fractions * [30, 30, z], cell=[30, 30, z], pbc=True) for z in heights]
    images[-1].positions[5, 0] += 12.0
    write_dump(tmp_path / "run.dump", images)
    far = np.abs(images[-1].positions - images[0].positions - (heights[-1] - 700) * fractions.mean(axis=0) * [0, 0, 1])
    assert (far[:, 2] > 10).sum() > 20
    job = {"trajectory": {"files": ["run.dump"]}, "timestep_fs": 2.0, **OFF}
    moving = {
        "jumps": {"within_ps": 2.0},
        "windows": {"by": "slab", "n_slabs": 2, "length_ps": 2.0, "at_ps": [0.0]},
        "msd": {},
    }
    status, result, _ = call(analyse.main, tmp_path, {**job, **moving})
    assert status == 0, result
    outputs = result["outputs"]
    assert outputs["jumps"]["n_jumps"] == 1
    assert outputs["paths"] == {"cell_of_step": 0, "largest_strain": pytest.approx(0.03)}
    with np.load(tmp_path / "analysis.npz") as archive:
        assert archive["jumps_ids"].tolist() == [6]
        assert archive["jumps_from_ang"][0] == pytest.approx(images[0].positions[5], abs=1e-4)
        assert archive["jumps_moved_ang"][0] == pytest.approx([12.0, 0.0, 0.0], abs=0.02)
        # Nobody leaves a slab by the shrinking, and nobody moves along z.
        assert archive["windows_survival"][:, -1].tolist() == [1.0, 1.0]
        assert archive["msd_ang2"][0, -1, 2] < 1e-9
        assert archive["msd_ang2"][0, -1, 0] == pytest.approx(144 / 1000, rel=0.01)


def test_onsager_keeps_the_sum_rule_and_conducts_by_charges(folder: Path) -> None:
    outputs, arrays = told(folder, {"onsager": {"temperature_k": 300.0, "charges": {"Li": 1, "S": -2}}})
    assert arrays["onsager_species"].tolist() == ["Li", "S"]
    assert outputs["onsager"]["sum_rule_relative"] < 1e-9
    matrix, error = arrays["onsager_per_ev_ang_ps"], arrays["onsager_error_per_ev_ang_ps"]
    assert matrix[0, 0] > 0 > matrix[0, 1]
    assert 0 < error[0, 0] < matrix[0, 0]
    conductivity = outputs["onsager"]["conductivity_s_per_cm"]
    assert conductivity["value"] == pytest.approx(16.0218 * (np.array([1, -2]) @ matrix @ [1, -2]), rel=1e-4)
    assert set(transport_pictures(arrays)) == {"onsager"}
    low, high = outputs["onsager"]["haven_ratio"]["interval_95"]
    assert low < outputs["onsager"]["haven_ratio"]["value"] < high


def test_one_element_has_no_transport_of_its_own(tmp_path: Path) -> None:
    write_dump(tmp_path / "run.dump", [bulk("Li", cubic=True)] * 3)
    job = {"trajectory": {"files": ["run.dump"]}, "timestep_fs": 2.0, **OFF, "onsager": {"temperature_k": 300.0}}
    status, result, _ = call(analyse.main, tmp_path, job)
    assert status == 2
    assert result["error"]["message"].startswith("onsager: the trajectory holds Li alone")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"diffusion": {}, "timestep_fs": None}, "diffusion: needs timestep_fs"),
        ({"diffusion": {"n_blocks": 50}}, "diffusion: 401 frames in 50 stretches"),
        ({"diffusion": {"species": ["Na"]}}, "diffusion: the trajectory holds no Na, only Li, S"),
        (
            {"windows": {"length_ps": 500.0, "by": "slab"}},
            "windows: a window of 500 ps is longer than the run of 40 ps",
        ),
        ({"windows": {"length_ps": 5.0, "at_ps": [38.0], "by": "slab"}}, "windows: a window from 38 ps on ends after"),
        ({"windows": {"length_ps": 5.0, "at_ps": [5.0]}}, "windows: the labels have none of step 2500"),
        ({"windows": {"length_ps": 5.0}, "labels": None}, "windows: needs labels"),
        ({"windows": {"length_ps": 5.0, "at_ps": [], "by": "slab"}}, "windows: at_ps is empty"),
        ({"windows": {"length_ps": 0.2, "by": "slab"}}, "windows: a window of 0.2 ps holds 2 intervals of 0.1 ps"),
        ({"jumps": {"within_ps": 5.0, "at_ps": []}}, "jumps: at_ps is empty"),
        ({"onsager": {"temperature_k": 300.0, "charges": {"Li": 1}}}, "onsager.charges has no charge of S"),
        ({"onsager": {"temperature_k": 300.0, "n_blocks": 60}}, "onsager: 401 frames in 60 blocks"),
        ({"diffusion": {"first_lag": 0.6}}, "last_lag is longer than first_lag"),
    ],
)
def test_what_is_missing_is_one_sentence(folder: Path, change: dict[str, Any], sentence: str) -> None:
    status, result, _ = call(analyse.main, folder, {**JOB, **change})
    assert status != 0
    assert sentence in str(result)
