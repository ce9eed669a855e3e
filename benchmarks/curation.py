"""seireact-curate on sets beyond what a calcfunction may do: seconds, and how memory grows with the frames."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click

from benchmarks.dataset import N_ATOMS, made_up

STEPS = {"filter": {"max_force_ev_per_ang": 50.0}, "unique": {"closest": 0.004}, "thin": {"count": 200, "seed": 1}}
PROGRAM = """
from pathlib import Path
from aiida_seireact.programs.curate import main
try:
    main(["job.json"], standalone_mode=False)
except SystemExit as end:
    assert not end.code
# ru_maxrss would count the process that started this one, too.
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


def curate(n_frames: int, shard_size: int) -> tuple[float, float]:
    """Return the seconds that the program needs for so many frames, and its peak memory in MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = []
        for number, start in enumerate(range(0, n_frames, shard_size)):
            files.append(f"shard_{number}.npz")
            made_up(min(shard_size, n_frames - start), seed=number).save(folder / files[-1])
        (folder / "job.json").write_text(json.dumps({"frames": files, **STEPS}))
        start_time = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
        )
        seconds = time.perf_counter() - start_time
        told = json.loads((folder / "result.json").read_text())["outputs"]
        assert told["n_kept"] == 200, told
    return seconds, int(done.stdout.split()[-2]) / 1024


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--frames", "n_frames", default=2500, show_default=True, help="Frames of 228 atoms, and half of them.")
@click.option("--shard", "shard_size", default=500, show_default=True, help="Frames a file.")
def main(n_frames: int, shard_size: int) -> None:
    """Curate half of the frames, then all; the last line is `growth = <MiB more for twice the frames>`."""
    peaks = []
    for count in (n_frames // 2, n_frames):
        seconds, peak = curate(count, shard_size)
        peaks.append(peak)
        click.echo(f"{count} frames, {count * N_ATOMS} atoms: {seconds:.1f} s, {peak:.0f} MiB at most")
    click.echo(f"growth = {peaks[1] - peaks[0]:.1f} MiB")


if __name__ == "__main__":
    main()
