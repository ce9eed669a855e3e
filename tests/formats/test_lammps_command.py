"""Command lines for one, four and sixteen GPUs, slices of GPUs, and cells that do not fit."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from aiida_seireact.formats.lammps_command import (
    BYTES_AN_ATOM,
    CommandError,
    Resources,
    bytes_an_atom,
    devices_of,
    gpus_needed,
    lammps_arguments,
    refuse_other_devices,
    refuse_what_does_not_fit,
)

GOLDEN = Path(__file__).parent / "lammps_command"
H200 = """GPU 0: NVIDIA H200 (UUID: GPU-11111111-2222-3333-4444-555555555555)
GPU 1: NVIDIA H200 (UUID: GPU-66666666-2222-3333-4444-555555555555)
"""
SLICED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-2222-3333-4444-555555555555)
  MIG 3g.20gb     Device  0: (UUID: MIG-aaaaaaaa-0000-5000-8000-000000000001)
  MIG 1g.5gb      Device  1: (UUID: MIG-aaaaaaaa-0000-5000-8000-000000000002)
  MIG 1c.3g.20gb  Device  2: (UUID: MIG-aaaaaaaa-0000-5000-8000-000000000003)
"""


@pytest.mark.parametrize(
    ("name", "resources"),
    [
        ("1_gpu", Resources(1, 1, 1)),
        ("4_gpus", Resources(1, 4, 4)),
        ("16_gpus_on_4_nodes", Resources(4, 4, 4)),
        ("16_gpus_on_2_nodes", Resources(2, 8, 8)),
    ],
)
def test_command_lines_are_those_of_the_golden_files(name: str, resources: Resources) -> None:
    lines = [
        f"ranks {resources.n_ranks}",
        shlex.join(["lmp", *lammps_arguments(resources, kokkos=True)]),
        shlex.join(["lmp", *lammps_arguments(resources, kokkos=True, gpu_aware=False)]),
        shlex.join(["lmp", *lammps_arguments(resources)]),
    ]
    assert "\n".join(lines) + "\n" == (GOLDEN / f"{name}.txt").read_text()


def test_processors_need_no_options() -> None:
    arguments = lammps_arguments(Resources(2, 32), input_file="a b", log="my.log")
    assert arguments == ["-in", "a b", "-log", "my.log"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((1, 2, 4), r"2 ranks a node for 4 GPU.*: .*ask for 4 ranks a node \(num_mpiprocs_per_machine\)"),
        ((1, 8, 4), "8 ranks a node for 4 GPU"),
        ((1, 4, 1, True), "4 ranks a node for 1 slice"),
        ((0, 1, 0), "0 nodes with 1 ranks"),
    ],
)
def test_another_number_of_ranks_than_gpus_is_refused(given: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        Resources(*given)


def test_kokkos_needs_gpus_and_cannot_share_out_slices() -> None:
    with pytest.raises(CommandError, match="needs one: ask for GPUs"):
        lammps_arguments(Resources(1, 4), kokkos=True)
    with pytest.raises(CommandError, match="can't share out 3 slices"):
        lammps_arguments(Resources.of_listing(SLICED, nodes=1, ranks_per_node=3), kokkos=True)
    assert "1" in lammps_arguments(Resources(3, 1, 1, sliced=True), kokkos=True)


def test_whole_gpus_are_listed_by_number() -> None:
    found = devices_of(H200)
    assert [(device.gpu, device.name, device.profile) for device in found] == [
        (0, "NVIDIA H200", ""),
        (1, "NVIDIA H200", ""),
    ]
    assert found[0].memory_bytes is None
    assert Resources.of_listing(H200, nodes=4, ranks_per_node=2) == Resources(4, 2, 2)


def test_a_partitioned_gpu_counts_by_its_slices() -> None:
    found = devices_of(SLICED)
    assert [device.profile for device in found] == ["3g.20gb", "1g.5gb", "1c.3g.20gb"]
    assert [device.memory_bytes for device in found] == [20e9, 5e9, 20e9]
    assert all(device.uuid.startswith("MIG-") for device in found)
    assert Resources.of_listing(SLICED, nodes=1, ranks_per_node=3).sliced
    with pytest.raises(CommandError, match="1 ranks a node for 3 slice"):
        Resources.of_listing(SLICED, nodes=1, ranks_per_node=1)


def test_nodes_without_gpus_or_with_both_kinds_are_refused() -> None:
    with pytest.raises(CommandError, match=r"lists no GPU \(No devices found.\)"):
        devices_of("No devices found.\n")
    with pytest.raises(CommandError, match="Some GPUs of this node are partitioned"):
        Resources.of_listing(H200 + SLICED, nodes=1, ranks_per_node=5)


def test_memory_an_atom_is_that_of_the_measured_table() -> None:
    """GB at 21,120, 42,240, 84,480 and 168,960 atoms, docs/howto/own_profile.md."""
    for n_atoms, gigabytes in ((21_120, 11.8), (42_240, 23.5), (84_480, 47.0), (168_960, 94.0)):
        assert bytes_an_atom(gigabytes * 1e9, n_atoms) == pytest.approx(BYTES_AN_ATOM, rel=0.01)
    with pytest.raises(ValueError, match="measures nothing"):
        bytes_an_atom(0.0, 10)


def test_a_cell_that_does_not_fit_is_told_with_the_number_of_gpus_that_would() -> None:
    refuse_what_does_not_fit(120_000, Resources(1, 1, 1), 80e9)
    with pytest.raises(
        CommandError, match="take about 1,904 GB by this model .* than 4 GPUs of 80 GB hold: ask for 26"
    ):
        refuse_what_does_not_fit(3_400_000, Resources(1, 4, 4), 80e9)
    needed = gpus_needed(3_400_000, 80e9)
    refuse_what_does_not_fit(3_400_000, Resources(needed, 1, 1), 80e9)
    refuse_what_does_not_fit(3_400_000, Resources(1, 4), 80e9)  # no GPU, no limit of one
    assert gpus_needed(3_400_000, 80e9, per_atom=BYTES_AN_ATOM / 2) == 13
    assert gpus_needed(10, 80e9) == 1


def test_the_gpus_of_a_node_are_those_that_the_job_counts_on() -> None:
    refuse_other_devices(H200, ranks_per_node=2, sliced=False)
    refuse_other_devices(SLICED, ranks_per_node=3, sliced=True)
    with pytest.raises(CommandError, match=r"partitioned into slices \(3g\.20gb\): set `sliced`"):
        refuse_other_devices(SLICED, ranks_per_node=1, sliced=False)
    with pytest.raises(CommandError, match="has 2 GPUs for 4 ranks"):
        refuse_other_devices(H200, ranks_per_node=4, sliced=False)
    with pytest.raises(CommandError, match="has 3 slices of GPUs for 4 ranks"):
        refuse_other_devices(SLICED, ranks_per_node=4, sliced=True)
