"""The frames that a verdict names, brought to a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

    from aiida_seireact.formats.frames import Frames
    from aiida_seireact.formats.verdict import Verdict


def save_frames(validation: ProcessNode, verdict: Verdict, path: Path) -> None:
    """Write the frames that the failed lines name, with their labels; say of how many there are none.

    Frames of MD runs have no labels and stay with their runs.

    :raises click.ClickException: nothing to write.
    """
    from aiida_seireact.formats.frames import Frames

    wanted = list(dict.fromkeys(frame for line in verdict.failed for frame in line.frames))
    if not wanted:
        raise click.ClickException("No failed line names a frame: there is nothing to write.")
    found = []
    for shard in _shards(validation):
        place = {frame_id: index for index, frame_id in enumerate(shard.frame_ids)}
        if indices := [place[frame_id] for frame_id in wanted if frame_id in place]:
            found.append(shard.select(indices))
    if not found:
        raise click.ClickException(f"All {len(wanted)} frames that are named are of MD runs: look at those.")
    frames = Frames.concatenate(found)
    frames.to_extxyz(path)
    of_runs = len(wanted) - len(frames)
    told = f"; {of_runs} further ones are of MD runs" if of_runs else ""
    click.echo(f"{len(frames)} frames that miss their targets, with their labels: {path}{told}")


def _shards(validation: ProcessNode) -> Iterator[Frames]:
    if "frames" in validation.outputs:
        yield validation.outputs.frames.frames
    if "dataset" in validation.inputs:
        yield validation.inputs.dataset.frames("test")
