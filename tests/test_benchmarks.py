"""The benchmarks run, here on small sizes, and end with their ratio."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import million
from benchmarks.query import FULL, too_slow


def run(name: str, *arguments: str) -> str:
    """Run a benchmark to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_benchmark_of_datasets_reads_back_what_it_stored() -> None:
    sizes = ["--frames", "40", "--new", "10", "--shard", "10", "--peer-frames", "2"]
    told = run("dataset", *sizes)
    assert "same frames read back: True" in told
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


def test_the_benchmark_of_cells_builds_the_same_three_times() -> None:
    told = run("builder", "--size", "tiny")
    assert all(re.search(rf"{name} +\d+\.\d\d s +\d+\.\d\d CPU-s +\d+ MB", told) for name in ("ASE", "pymatgen"))
    assert "same composition and plane: True" in told
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


def test_the_benchmark_of_dumps_reads_the_same_positions_as_ase() -> None:
    sizes = ["--atoms", "2000", "--size-mb", "1", "--large-mb", "3", "--peer", "ase"]
    told = run("dump", *sizes)
    assert told.count("same positions: True") == 2
    assert re.search(r"^MB/s = \d+$", told, re.MULTILINE)
    assert re.search(r"^memory = \d\.\d\d$", told, re.MULTILINE)
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


def test_the_benchmark_of_analyses_gives_the_same_functions_as_its_peers() -> None:
    pytest.importorskip("MDAnalysis")
    told = run("analyse", "--atoms", "1000", "--frames", "6", "--longer", "2")
    assert "same g(r): True" in told
    assert "False" not in told
    assert re.search(r"^memory = \d\.\d\d$", told, re.MULTILINE)
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


def test_the_benchmark_of_queries_gets_the_same_numbers_as_node_by_node() -> None:
    told = run("query", "--labels", "30", "--models", "2", "--runs", "1")
    assert told.count("same: True") == 3
    assert re.search(r"^phases +\d+\.\d\d +\d+\.\d\d +3000$", told, re.MULTILINE)
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


def test_the_benchmark_of_queries_names_those_that_took_a_second_at_the_full_size() -> None:
    spent = {"labels": 0.99, "phases": 1.0, "costs": 2.345}
    assert too_slow(spent, FULL) == "too slow, 1 s or more: phases (1.00 s), costs (2.35 s)"
    assert too_slow({"labels": 0.99}, FULL) == ""
    assert too_slow(spent, {**FULL, "labels": 30}) == ""


@pytest.mark.slow
def test_the_benchmark_of_md_engines_gives_the_same_forces_by_all() -> None:
    sizes = ["--cells", "1", "1", "1", "--steps", "6", "--paper-steps", "0"]
    told = run("md_engine", *sizes)
    assert all(re.search(rf"{name} +\d+\.\d{{4}} CPU-s a step", told) for name in ("ASE", "seireact-lmp", "lmp"))
    assert "same energies and forces: True" in told
    assert re.fullmatch(r"ratio = \d+\.\d\d", told.splitlines()[-2])
    assert re.fullmatch(r"overhead = -?\d+\.\d %", told.splitlines()[-1])


def test_the_benchmark_of_gaussian_processes_runs_the_same_steps_by_both() -> None:
    pytest.importorskip("flare.bffs.sgp._C_flare", reason="mir-flare is not installed", exc_type=ImportError)
    told = run("sgp_md", "--frames", "2", "--sparse", "16", "--steps", "2", "--peer-steps", "2")
    assert len(re.findall(r"same after 4 steps: True", told)) == 2
    assert "52 atoms, 16 sparse environments, 2664 features" in told
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


@pytest.mark.slow
def test_the_benchmark_of_learning_prints_its_numbers_whatever_they_say() -> None:
    pytest.importorskip("flare.bffs.sgp._C_flare", reason="mir-flare is not installed", exc_type=ImportError)
    pytest.importorskip("chgnet")
    told = run("learning", "--quick")
    assert "Li3P is 4.8 % of it" in told
    assert all(
        re.search(rf"^{arm}: \d\.\d frames of Li3P among 4, \d+ environments$", told, re.MULTILINE)
        for arm in ("random", "active")
    )
    assert re.fullmatch(r"rare ratio = \d+\.\d\d", told.splitlines()[-2])
    assert re.fullmatch(r"ratio = \d+\.\d\d", told.splitlines()[-1])


def test_the_benchmark_of_density_peaks_finds_the_labels_of_dadapy() -> None:
    pytest.importorskip("dadapy", reason="DADApy is the peer")
    told = run("density_peaks", "1500", "--features", "50")
    assert "labels of DADApy's own densities equal: True" in told
    assert re.search(r"^labels_equal = (True|False) \(\d+\.\d+%\)$", told, re.MULTILINE)
    assert re.search(r"^recall = 1\.00000$", told, re.MULTILINE)
    assert re.search(r"^ratio_total = \d+\.\d$", told, re.MULTILINE)
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


def test_the_benchmark_of_landmarks_says_how_far_they_agree_with_all_points() -> None:
    told = run("landmarks", "6000", "2000", "--size", "small", "--z", "3")
    agreement = re.search(r"^label_agreement = (\d\.\d{4})$", told, re.MULTILINE)
    assert agreement is not None
    assert float(agreement[1]) > 0.99
    assert len(re.findall(r"^rand_(labels|clusters) = \d\.\d{4}$", told, re.MULTILINE)) == 2
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


def test_the_benchmark_of_descriptors_is_flare_s_and_small_in_memory() -> None:
    pytest.importorskip("flare.bffs.sgp._C_flare", reason="mir-flare is not installed", exc_type=ImportError)
    told = run("descriptors", "--repeat", "1", "--frame", "2", "2", "2")
    assert len(re.findall(r"^n[49] l3 same result as FLARE: True", told, re.MULTILINE)) == 2
    assert re.search(r"^ace +n9 l3 +2664 features +\d\.\d+ CPU-s +\d+ environments a CPU-s$", told, re.MULTILINE)
    assert re.search(r"^ace +n9 l3: a frame of 96 atoms takes \d\.\d\d GB in all$", told, re.MULTILINE)
    assert re.fullmatch(r"ratio = \d+\.\d", told.splitlines()[-1])


@pytest.mark.slow
def test_a_million_environments_are_labelled_rightly_in_less_than_eight_gigabytes(tmp_path: Path) -> None:
    """The run of `python -m benchmarks.million`: 92 frames, which two chunks of labels could not hold."""
    found = million.measure(1_000_000, tmp_path)
    assert found.peak_gb < 8
    of_cell = million.interphase_cell(million.LAYERS)
    n_lithium = int((of_cell.atoms.numbers == 3).sum())
    assert found.outputs["n_environments"] == found.n_labels == found.n_frames * n_lithium
    assert found.n_labels == pytest.approx(1_000_000, rel=0.01)
    assert len(found.outputs["labels"]["chunks"]) == 4
    # What is counted are all environments but those near a seam.
    inside = int((of_cell.phase[of_cell.atoms.numbers == 3] >= 0).sum())
    assert found.table.sum() == found.n_frames * inside
    for name in million.REFERENCES:
        assert found.share(name, name) >= 0.99
    foreign, four = million.ROWS[-2:]
    assert found.share(foreign, "unknown") >= 0.98
    assert found.share(four, "Li2S") >= 0.95
    assert set(found.names) == {"unknown", *million.REFERENCES}
