"""The benchmarks run, here on small sizes, and end with their ratio."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_benchmark_of_datasets_reads_back_what_it_stored() -> None:
    sizes = ["--frames", "40", "--new", "10", "--shard", "10", "--peer-frames", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.dataset", *sizes],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "same frames read back: True" in done.stdout
    assert re.fullmatch(r"ratio = \d+\.\d", done.stdout.splitlines()[-1])


def test_the_benchmark_of_cells_builds_the_same_three_times() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.builder", "--size", "tiny"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(re.search(rf"{name} +\d+\.\d\d s +\d+\.\d\d CPU-s +\d+ MB", done.stdout) for name in ("ASE", "pymatgen"))
    assert "same composition and plane: True" in done.stdout
    assert re.fullmatch(r"ratio = \d+\.\d", done.stdout.splitlines()[-1])


def test_the_benchmark_of_dumps_reads_the_same_positions_as_ase() -> None:
    sizes = ["--atoms", "2000", "--size-mb", "1", "--large-mb", "3", "--peer", "ase"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.dump", *sizes],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("same positions: True") == 2
    assert re.search(r"^MB/s = \d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^memory = \d\.\d\d$", done.stdout, re.MULTILINE)
    assert re.fullmatch(r"ratio = \d+\.\d", done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_benchmark_of_md_engines_gives_the_same_forces_by_all() -> None:
    sizes = ["--cells", "1", "1", "1", "--steps", "6", "--paper-steps", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.md_engine", *sizes],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(re.search(rf"{name} +\d+\.\d{{4}} CPU-s a step", done.stdout) for name in ("ASE", "seireact-lmp", "lmp"))
    assert "same energies and forces: True" in done.stdout
    assert re.fullmatch(r"ratio = \d+\.\d\d", done.stdout.splitlines()[-2])
    assert re.fullmatch(r"overhead = -?\d+\.\d %", done.stdout.splitlines()[-1])
