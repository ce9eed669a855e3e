"""seireact-analyse on a small Li | PS4, S, Cl | Li cell whose PS4 break one by one while Li drifts apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.phases import Labels
from aiida_seireact.programs import analyse
from aiida_seireact.science.analysis import partial_rdf

from .conftest import call, write_dump

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
VELOCITY = 0.05  # Å a frame, of the Li


def sandwich(frame: int) -> Atoms:
    """Three PS4 at z = 15, 20, 25; number ``frame`` // 2 of them are broken, from below; Li move along x."""
    atoms = Atoms(cell=[12, 12, 40], pbc=True)
    for number, z in enumerate((15.0, 20.0, 25.0)):
        bond = 2.83 if number < frame // 2 else 2.03
        atoms += Atoms("PS4", np.vstack([[6, 6, z], [6, 6, z] + bond * TETRAHEDRON]))
    atoms += Atoms("SCl", [[2, 2, 10.0], [2, 2, 31.0]])
    lithium = [(x, y, z) for x in (1, 5, 9) for y in (1, 5, 9) for z in (2.0, 5.0, 35.0, 38.0)]
    atoms += Atoms(f"Li{len(lithium)}", np.add(lithium, [frame * VELOCITY, 0, 0]))
    atoms.set_cell([12, 12, 40 + 0.5 * frame])
    return atoms


def write_labels(path: Path, names: list[str]) -> None:
    """Two frames of 40 Å: metal below and above, electrolyte from 15 to 25 Å in the first, nowhere in the second."""
    z = np.tile(np.arange(0.5, 40.0) / 40.0, (2, 1))
    place = z * 40
    first = np.where((place < 10) | (place > 30), 1, np.where((place > 15) & (place < 25), 2, 0))
    second = np.where((place < 10) | (place > 30), 1, 0)
    shape = (2, 40)
    Labels(
        steps=np.array([0, 250]),
        atom_ids=np.arange(1, 41),
        labels=np.stack([first[0], second[1]]).astype(np.int8),
        clusters=np.zeros(shape, dtype=np.int16),
        core=np.ones(shape, dtype=bool),
        ratio=np.zeros(shape, dtype=np.float32),
        z_fraction=z.astype(np.float32),
        heights_ang=np.array([40.0, 40.0]),
        label_names=np.array(names),
        profile=np.zeros((3, 20), dtype=np.int64),
    ).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analyse")
    write_dump(folder / "run.dump", [sandwich(frame) for frame in range(8)])
    write_labels(folder / "labels.npz", ["unknown", "Li", "Li6PS5Cl"])
    return folder


JOB: dict[str, Any] = {"trajectory": {"files": ["run.dump"]}, "timestep_fs": 2.0, "labels": "labels.npz"}


@pytest.fixture(scope="module")
def done(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    status, result, progress = call(
        analyse.main, folder, {**JOB, "rdf": {"pairs": [["Li", "S"], ["P", "S"]]}, "msd": {"remove_drift": False}}
    )
    assert status == 0, result
    assert "frame 8 of 8, step 350, 0 intact PS4" in progress
    with np.load(folder / "analysis.npz") as archive:
        return result["outputs"], dict(archive)


def test_series_follow_the_run(done: tuple) -> None:
    outputs, arrays = done
    assert arrays["steps"].tolist() == list(range(0, 400, 50))
    assert arrays["times_ps"] == pytest.approx(np.arange(8) * 0.1)
    assert arrays["n_intact_ps4"].tolist() == [3, 3, 2, 2, 1, 1, 0, 0]
    assert arrays["volume_ang3"] == pytest.approx(144 * (40 + 0.5 * np.arange(8)))
    assert arrays["smallest_distance_ang"][0] == pytest.approx(2.03, abs=1e-6)
    assert sorted(arrays["smallest_distance_ids"][0])[0] in (1, 6, 11)  # a P and one of its S
    assert (arrays["largest_hole_ang"] > 3).all()
    assert outputs["ps4_intact_start"] == 3
    assert outputs["ps4_intact_end"] == 0
    assert outputs["n_p"] == 3
    assert outputs["smallest_distance_ang"] == pytest.approx(2.03, abs=1e-6)


def test_both_thicknesses(done: tuple) -> None:
    outputs, arrays = done
    assert arrays["thickness_lower_ang"][:6] == pytest.approx([5, 5, 10, 10, 15, 15], abs=1e-6)
    assert arrays["thickness_upper_ang"][:6] == pytest.approx([6] * 6, abs=1e-6)
    assert np.isnan(arrays["thickness_lower_ang"][6:]).all()
    assert outputs["outermost_thickness"] == pytest.approx(
        {"last_defined_step": 250, "lower_ang": 15.0, "upper_ang": 6.0}, abs=1e-6
    )
    assert arrays["thickness_profile_steps"].tolist() == [0, 250]
    # Half filled slabs at 14-16 and 24-26 Å count as electrolyte: 10-14 and 26-30, then 10-30.
    assert arrays["thickness_profile_ang"] == pytest.approx([8.0, 20.0])


def test_ballistic_msd_and_time_axis(done: tuple) -> None:
    outputs, arrays = done
    lithium = arrays["msd_species"].tolist().index("Li")
    assert arrays["msd_species"].tolist() == ["Li", "P", "S", "Cl"]
    assert arrays["msd_lag_steps"].tolist() == list(range(0, 400, 50))
    assert arrays["msd_lag_ps"] == pytest.approx(np.arange(8) * 0.1)
    expected = (np.arange(8)[:, None] * VELOCITY * np.array([1.0, 0, 0])) ** 2
    assert arrays["msd_ang2"][lithium] == pytest.approx(expected, abs=1e-7)
    assert arrays["msd_ang2"][1] == pytest.approx(0.0, abs=1e-7)
    assert outputs["msd"]["lag_steps"] == 200
    assert outputs["msd"]["ang2_at_lag"]["Li"] == pytest.approx((4 * VELOCITY) ** 2, rel=1e-3)


def test_rdf_is_the_mean_over_the_last_half(done: tuple) -> None:
    outputs, arrays = done
    assert arrays["rdf_pairs"].tolist() == ["Li-S", "P-S"]
    frames = [sandwich(frame) for frame in range(4, 8)]
    expected = [
        partial_rdf(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, (15, 16))[1] for atoms in frames
    ]
    assert arrays["rdf_g"][1] == pytest.approx(np.mean(expected, axis=0), abs=1e-6)
    assert outputs["rdf_frames"] == 4


def test_defaults_take_all_pairs_and_drift_is_removed(folder: Path) -> None:
    status, result, _ = call(analyse.main, folder, {"trajectory": JOB["trajectory"], "hole_every": 4})
    assert status == 0, result
    with np.load(folder / "analysis.npz") as archive:
        arrays = dict(archive)
    assert len(arrays["rdf_pairs"]) == 10
    assert "times_ps" not in arrays
    assert np.isfinite(arrays["largest_hole_ang"]).tolist() == [True, False, False, False] * 2
    mass = {"Li": 36 * 6.94, "P": 3 * 30.974, "S": 13 * 32.06, "Cl": 35.45}
    slower = VELOCITY * (1 - mass["Li"] / sum(mass.values()))
    assert arrays["msd_ang2"][0, 1, 0] == pytest.approx(slower**2, rel=1e-3)


def test_displacements_are_decimated_to_the_bound(folder: Path) -> None:
    job = {**JOB, "rdf": None, "labels": None, "msd": {"max_frames": 3}}
    status, result, _ = call(analyse.main, folder, job)
    assert status == 0, result
    assert result["outputs"]["msd"]["stride_frames"] == 3
    with np.load(folder / "analysis.npz") as archive:
        assert archive["msd_lag_steps"].tolist() == [0, 150, 300]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trajectory": {"files": ["none.dump"]}}, "There is no dump file"),
        ({"trajectory": {"files": ["cut.dump"]}}, "cut.dump is cut off in the atoms of step 50"),
        ({"trajectory": {"files": ["nan.dump"]}}, "nan.dump, step 0: positions or box hold NaN"),
        ({"trajectory": {"files": ["wrapped.dump"]}}, "msd: the positions of step 0 are wrapped .* xu yu zu"),
        ({"trajectory": {"files": ["changed.npz"]}, "msd": None}, "step 1: the atoms are not those of the first"),
        ({"trajectory": {"files": ["open.npz"]}, "msd": None}, "not periodic in all directions"),
        ({"trajectory": {"files": ["run.dump", "late.dump"]}}, "frames are not evenly spaced .from step 350 on"),
        ({"rdf": {"pairs": [["Li", "Br"]]}}, "rdf of Li-Br: .*no atom of atomic number 35"),
        ({"rdf": {"pairs": [["Li", "Qq"]]}}, "'Qq' is no element symbol"),
        ({"msd": {"species": ["Na"]}}, "msd: the trajectory holds no Na"),
        ({"labels": "none.npz"}, "There is no labels file"),
        ({"labels": "labels.npz", "thickness": {"metal": "lithium"}}, "thickness.metal is 'lithium', but the labels"),
    ],
)
def test_bad_input_is_one_sentence(folder: Path, tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    for name in ("run.dump", "labels.npz"):
        (tmp_path / name).symlink_to(folder / name)
    text = (folder / "run.dump").read_text()
    (tmp_path / "cut.dump").write_text(text[: int(len(text) * 0.2)])
    (tmp_path / "nan.dump").write_text(re.sub(r"\n1 P \S+", "\n1 P nan", text, count=1))
    (tmp_path / "late.dump").write_text(
        text.replace("TIMESTEP\n0\n", "TIMESTEP\n777\n").split("ITEM: TIMESTEP\n50\n")[0]
    )
    write_dump(tmp_path / "wrapped.dump", [sandwich(0)], "id element x y z")
    first, second = sandwich(0), sandwich(1)
    Frames.from_atoms([first, second[:-1]]).save(tmp_path / "changed.npz")
    first.pbc = [True, True, False]
    Frames.from_atoms([first]).save(tmp_path / "open.npz")
    status, result, _ = call(analyse.main, tmp_path, {"trajectory": {"files": ["run.dump"]}, **change})
    assert status == 2
    assert result["error"]["kind"] == "invalid_input"
    assert re.search(sentence, result["error"]["message"]), result["error"]["message"]


def test_help_shows_an_example_that_is_a_valid_job() -> None:
    from aiida_seireact.formats.jobs.analyse import AnalyseJob

    AnalyseJob.model_validate_json(analyse.EXAMPLE)
    assert "production.dump.gz" in CliRunner().invoke(analyse.main, ["--help"]).output
