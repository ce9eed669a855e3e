"""seireact-analyse on a small Li | PS4, S, Cl | Li cell whose PS4 break one by one while Li drifts apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner

from aiida_seireact.formats.environments import Labels
from aiida_seireact.formats.frames import Frames
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


N_ATOMS = 3 * 5 + 2 + 36


def write_labels(path: Path, names: list[str]) -> None:
    """Of the frames 0 and 5: Li is metal, PS4 are electrolyte while they are intact, all else is unknown."""
    rows = []
    for frame in (0, 5):
        row = np.zeros(N_ATOMS, dtype=np.int8)
        row[17:] = 1
        for number in range(3):
            row[5 * number : 5 * number + 5] = 0 if number < frame // 2 else 2
        rows.append(row)
    shape = (2, N_ATOMS)
    Labels(
        steps=np.array([0, 250]),
        atom_ids=np.arange(1, N_ATOMS + 1),
        labels=np.stack(rows),
        clusters=np.zeros(shape, dtype=np.int16),
        core=np.ones(shape, dtype=bool),
        ratio=np.zeros(shape, dtype=np.float32),
        z_fraction=np.zeros(shape, dtype=np.float32),
        heights_ang=np.array([40.0, 42.5]),
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
        analyse.main,
        folder,
        {
            **JOB,
            "rdf": {"pairs": [["Li", "S"], ["P", "S"]]},
            "msd": {"remove_drift": False},
            "composition": {"charges": {"Li": 1, "P": 5, "S": -2, "Cl": -1}},
        },
    )
    assert status == 0, result
    assert "frame 8 of 8, step 350" in progress
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
    assert arrays["ps4_lower_ang"][:6] == pytest.approx([15, 15, 20, 20, 25, 25], abs=1e-6)
    assert arrays["ps4_upper_ang"][:6] == pytest.approx([25] * 6, abs=1e-6)
    assert np.isnan(arrays["ps4_lower_ang"][6:]).all()


def test_phases_and_their_thickness_on_each_side(done: tuple) -> None:
    outputs, arrays = done
    assert arrays["thickness_profile_steps"].tolist() == [0, 250]
    # Slabs of 2 Å: the S at 10 and the Cl at 31 Å first. Then two PS4 are broken, at z = 15 and 20 Å with S
    # 1.63 Å (2.83 / √3) below and above; slabs are 2.125 Å: number 4 and 6 to 10 below, 14 with Cl above.
    assert arrays["thickness_profile_ang"] == pytest.approx([4.0, 7 * 2.125])
    assert arrays["thickness_profile_lower_ang"] == pytest.approx([2.0, 6 * 2.125])
    assert arrays["thickness_profile_upper_ang"] == pytest.approx([2.0, 2.125])
    assert arrays["phase_counts"].tolist() == [[2, 36, 15], [12, 36, 5]]
    assert arrays["phase_profile"].sum(axis=(1, 2)).tolist() == [N_ATOMS] * 2
    assert outputs["phase_fractions_end"]["Li"] == pytest.approx(36 / N_ATOMS)


def test_what_is_not_defined_is_null(folder: Path, tmp_path: Path) -> None:
    # Once all metal has reacted there are no sides; without phosphorus there is nothing whose pace could change.
    (tmp_path / "labels.npz").symlink_to(folder / "labels.npz")
    images = [sandwich(0)[[atom.symbol != "P" for atom in sandwich(0)]] for _ in range(16)]
    write_dump(tmp_path / "run.dump", images)
    with np.load(folder / "labels.npz") as archive:
        arrays = dict(archive)
    kept = sandwich(0).numbers != 15
    for name in ("labels", "clusters", "core", "ratio", "z_fraction"):
        arrays[name] = arrays[name][:, kept]
    arrays["labels"] = np.where(arrays["labels"] == 1, 0, arrays["labels"]).astype(np.int8)
    arrays["atom_ids"] = np.arange(1, kept.sum() + 1)
    np.savez(tmp_path / "reacted.npz", **arrays)
    status, result, _ = call(analyse.main, tmp_path, {**JOB, "labels": "reacted.npz", "rdf": None, "msd": None})
    assert status == 0, result
    assert result["outputs"]["profile_thickness_end_lower_ang"] is None
    assert result["outputs"]["ps4_pace"]["break_found"] is False


def test_composition_and_charge_along_z(done: tuple) -> None:
    outputs, arrays = done
    species = arrays["composition_species"].tolist()
    atoms = arrays["composition_atoms"]
    assert atoms.shape == (8, 4, 20)
    assert atoms.sum(axis=2)[3].tolist() == [{"Li": 36, "P": 3, "S": 13, "Cl": 1}[symbol] for symbol in species]
    assert atoms[0, species.index("P")].nonzero()[0].tolist() == [7, 10, 12]  # 15, 20, 25 Å
    assert arrays["composition_z_ang"][:2] == pytest.approx([1.0, 3.0])
    assert arrays["charge_e"][0, 15] == pytest.approx(-1.0)  # the Cl alone
    assert outputs["charge"]["total_e"] == pytest.approx(36 + 15 - 26 - 1)
    assert outputs["charge"]["formal_charges"]["P"] == 5.0


def test_ballistic_msd_and_time_axis(done: tuple) -> None:
    outputs, arrays = done
    lithium = arrays["msd_species"].tolist().index("Li")
    assert arrays["msd_species"].tolist() == ["Li", "P", "S", "Cl"]
    assert arrays["msd_lag_steps"].tolist() == list(range(0, 400, 50))
    assert arrays["msd_lag_ps"] == pytest.approx(np.arange(8) * 0.1)
    along_x = (np.arange(8) * VELOCITY) ** 2
    # The cell grows and they stay where they are: along z they move against it, in lengths of the first frame.
    places = np.array([2.0, 5.0, 35.0, 38.0]) * (40 / (40 + 0.5 * np.arange(8)))[:, None]
    along_z = [((places[lag:] - places[: 8 - lag]) ** 2).mean() for lag in range(8)]
    expected = np.stack([along_x, np.zeros(8), along_z], axis=1)
    assert arrays["msd_ang2"][lithium] == pytest.approx(expected, abs=2e-6)
    assert arrays["msd_ang2"][1, :, :2] == pytest.approx(0.0, abs=1e-7)
    assert outputs["paths"]["largest_strain"] == pytest.approx(3.5 / 40)
    assert outputs["msd"]["lag_steps"] == 200
    assert outputs["msd"]["ang2_at_lag"]["Li"] == pytest.approx(expected[4].sum(), rel=1e-3)


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
    status, result, _ = call(analyse.main, folder, {"trajectory": JOB["trajectory"], "health": {"hole_every": 4}})
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
    job = {**JOB, "rdf": None, "labels": None, "paths": {"max_frames": 3}}
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
        ({"rdf": {"pairs": [["Li", "Br"]]}}, "rdf of Li-Br: the trajectory holds no Br, only Li, P"),
        ({"rdf": {"centres_label": "Li3P"}, "labels": "labels.npz"}, "rdf.centres_label is 'Li3P', but the labels"),
        ({"rdf": {"centres_label": "Li3P"}}, "rdf: needs labels: give the labels.npz"),
        ({"phases": {}}, "phases: needs labels"),
        ({"composition": {"charges": {"Li": 1}}}, "composition.charges has no charge of Cl, P, S"),
        ({"trajectory": {"files": ["run.dump"], "skip_first": 6}, "labels": "labels.npz"}, "and none of the frames"),
        ({"rdf": {"pairs": [["Li", "Qq"]]}}, "'Qq' is no element symbol"),
        ({"msd": {"species": ["Na"]}}, "msd: the trajectory holds no Na"),
        ({"labels": "none.npz"}, "There is no labels file"),
        ({"labels": "labels.npz", "phases": {"metal": "lithium"}}, "phases.metal is 'lithium', but the labels"),
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


def test_several_processes_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    images = []
    for frame in range(70):
        atoms = sandwich(frame % 8)
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        images.append(atoms)
    write_dump(tmp_path / "first.dump", images[:30])
    write_dump(tmp_path / "second.dump", images[29:])
    text = (tmp_path / "second.dump").read_text()
    (tmp_path / "second.dump").write_text(
        re.sub(r"TIMESTEP\n(\d+)", lambda found: f"TIMESTEP\n{int(found[1]) + 29 * 50}", text)
    )
    contents = []
    for workers in (1, 2, 3):
        job = {"trajectory": {"files": ["first.dump", "second.dump"]}, "workers": workers}
        status, result, progress = call(analyse.main, tmp_path, job)
        assert status == 0, result
        assert f"of {len(images)}, " in progress
        result["outputs"].pop("files")
        contents.append(((tmp_path / "analysis.npz").read_bytes(), result["outputs"]))
    assert contents[0] == contents[1] == contents[2]
    assert result["outputs"]["n_frames"] == len(images)


def test_what_is_wrong_in_a_process_is_told_by_all(folder: Path, tmp_path: Path) -> None:
    write_dump(tmp_path / "run.dump", [sandwich(0)] * 40)
    text = (tmp_path / "run.dump").read_text()
    parts = text.split("ITEM: TIMESTEP\n1500\n")
    (tmp_path / "run.dump").write_text(
        parts[0] + "ITEM: TIMESTEP\n1500\n" + re.sub(r"\n1 P \S+", "\n1 P nan", parts[1], count=1)
    )
    status, result, _ = call(analyse.main, tmp_path, {"trajectory": {"files": ["run.dump"]}, "workers": 2})
    assert status == 2
    assert "step 1500: positions or box hold NaN" in result["error"]["message"]


def test_charges_are_of_elements() -> None:
    from aiida_seireact.formats.jobs.analyse import CompositionSettings

    with pytest.raises(ValueError, match="'Lo' is no element symbol"):
        CompositionSettings(charges={"Lo": 1.0})
