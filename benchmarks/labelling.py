"""What a label costs beside its calculation: CPU seconds of AiiDA's daemon for each frame.

`seireact.label.ase` puts many frames in a job; the peer is one job a frame, as engines of one structure a calculation
have it. Labels are those of EMT, whose own cost is next to nothing. A profile of its own, in a folder that is removed.
"""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import psutil
from ase.build import bulk


def main() -> None:
    """Run the benchmark in an AiiDA of its own, which must be chosen before AiiDA is imported."""
    with tempfile.TemporaryDirectory(prefix="seireact-benchmark-") as folder:
        (Path(folder) / ".aiida").mkdir(mode=0o700)
        os.environ["AIIDA_PATH"] = folder
        compare(standalone_mode=False)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--frames", default=1000, show_default=True, help="Frames of one batch.")
@click.option("--single", default=20, show_default=True, help="Frames of the peer, one job each.")
@click.option(
    "--mock", default=64, show_default=True, help="Frames through aiida-vasp, with its mock in place of VASP."
)
def compare(frames: int, single: int, mock: int) -> None:
    """Compare daemon CPU a label; the last line is `ratio = <one job a frame / one batch>`."""
    from aiida.engine.daemon.client import get_daemon_client

    from aiida_seireact.cli._profile import use_this_environment
    from aiida_seireact.cli.installation import install

    use_this_environment()
    scratch = Path(os.environ["AIIDA_PATH"]) / "work"
    install("benchmark", workers=1, work_dir=scratch)
    from aiida import load_profile
    from aiida.manage.caching import disable_caching
    from aiida.orm import load_computer

    load_profile("benchmark", allow_switch=True)
    from benchmarks._vasp import cpu_seconds_a_label

    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("aiida-core", "ase", "numpy"))
    click.echo(f"4 atoms of Cu a frame by EMT, 1 daemon worker, 1 thread; {versions}")
    client = get_daemon_client("benchmark")
    client.start_daemon(number_workers=1)
    try:
        with disable_caching():
            batch = labelled(frames, batch_size=frames, seed=0)
            alone = labelled(single, batch_size=1, seed=0)
            vasp = cpu_seconds_a_label(load_computer("localhost"), scratch / "vasp", daemon_seconds, count=mock)
    finally:
        client.stop_daemon(wait=True)
    error = max(abs(ours - theirs) for ours, theirs in zip(batch.energies, alone.energies, strict=False))
    for name, run in (("one batch", batch), ("one job a frame", alone)):
        click.echo(f"{name:<16} {len(run.energies):5d} frames {run.seconds:8.3f} daemon CPU-s, {run.each:.4f} a label")
    # EMT sums over a neighbour list whose order depends on the frame before.
    click.echo(f"same result: {error < 1e-9} (largest difference {error:.1e} eV)")
    click.echo(f"daemon_cpu_s_per_label = {batch.each:.5f}")
    click.echo(f"vasp_daemon_cpu_s_per_label = {vasp:.2f}")
    click.echo(f"ratio = {alone.each / batch.each:.1f}")


class Run:
    """A finished run: daemon CPU seconds and energies."""

    def __init__(self, seconds: float, energies: list[float]) -> None:
        self.seconds, self.energies = seconds, energies

    @property
    def each(self) -> float:
        """Daemon CPU seconds a label."""
        return self.seconds / len(self.energies)


def labelled(count: int, *, batch_size: int, seed: int) -> Run:
    """Label ``count`` frames through the daemon.

    :raises RuntimeError: it did not come to a good end.
    """
    from aiida import orm
    from aiida.engine import submit

    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.workchains.label import LabelWorkChain

    images = []
    for index in range(count):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.05, seed=seed + index)
        images.append(atoms)
    builder = LabelWorkChain.get_builder_from_protocol(
        FramesData.from_ase(images),
        overrides={"batch_size": batch_size, "parameters": {"calculator": {"name": "emt", "kwargs": {}}}},
    )
    builder.reuse = False
    before = daemon_seconds()
    node = submit(builder)
    while not node.is_terminated:
        time.sleep(0.5)
    if not node.is_finished_ok or not isinstance(node, orm.WorkChainNode):
        raise RuntimeError(f"The labels failed: {node.exit_message}")
    return Run(daemon_seconds() - before, [float(energy) for energy in node.outputs.frames.frames.energy])


def daemon_seconds() -> float:
    """Return the CPU seconds so far of the workers of the daemon, without those of the programs they start."""
    from aiida.engine.daemon.client import get_daemon_client

    total = 0.0
    for worker in get_daemon_client("benchmark").get_worker_info()["info"]:
        times = psutil.Process(int(worker)).cpu_times()
        total += times.user + times.system
    return total


if __name__ == "__main__":
    main()
