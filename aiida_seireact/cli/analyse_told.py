"""What ``aiida-seireact analyse`` says: the analyses there are, what would be done, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida_seireact.formats.jobs.analyse import AnalyseJob


def tell(job: AnalyseJob) -> None:
    """Say what would be analysed, the files read for their steps.

    :raises click.ClickException: a file that can't be read.
    """
    from aiida_seireact.formats.dump import DumpError
    from aiida_seireact.formats.frame_stream import FrameStream
    from aiida_seireact.formats.frames import FramesError
    from aiida_seireact.programs.analyse import asked_of
    from aiida_seireact.programs.analyses import ANALYSES

    choice = job.trajectory
    try:
        stream = FrameStream(
            [Path(name) for name in choice.files],
            skip_first=choice.skip_first,
            stride=choice.stride,
            stop_before_truncated=choice.stop_before_truncated,
        )
    except (DumpError, FramesError) as error:
        raise click.ClickException(str(error)) from error
    steps = stream.steps
    click.echo(f"{len(stream)} frames, step {steps[0]} to {steps[-1]}, {job.workers} process(es)")
    for name, settings in asked_of(job).items():
        click.echo(f"{name}: {ANALYSES[name].gives}")
        click.echo(f"    {settings.model_dump_json()}")
    click.echo("Nothing was analysed (--dry-run).")


def conclude(
    outputs: Mapping[str, Any], arrays: Mapping[str, Any], timestep_fs: float | None, output: Path, pictures: str
) -> None:
    """Tell the numbers and write the pictures."""
    for name, value in flat(outputs):
        click.echo(f"{name} = {value}")
    if pictures == "none":
        return
    from aiida_seireact.cli.render.figures_analysis import pictures as drawn
    from aiida_seireact.figures.saving import save_picture

    output.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in drawn(arrays, timestep_fs).items():
        save_picture(figure, output / f"{name}.{pictures}", dpi=150, as_paths=True)
        written.append(f"{name}.{pictures}")
    click.echo(f"Pictures in {output}: {', '.join(written)}")


def flat(outputs: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the numbers by their path, rounded to be read."""
    for name, value in outputs.items():
        if name == "files":
            continue
        path = f"{before}{name}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}.")
        else:
            yield path, f"{value:.6g}" if isinstance(value, float) else str(value)


def list_analyses() -> None:
    """Print the analyses."""
    from aiida_seireact.formats.jobs.analyse import AnalyseJob
    from aiida_seireact.programs.analyses import ANALYSES

    for name, analysis in ANALYSES.items():
        field = AnalyseJob.model_fields[name]
        state = "" if field.default_factory is not None else " (off unless --with)"
        click.secho(f"{name}{state}", bold=True, nl=False)
        click.echo(f": {analysis.gives}")
        for key, setting in analysis.settings.model_fields.items():
            default = "required" if setting.is_required() else setting.default
            click.echo(f"    {key} = {default}" + (f"  {setting.description}" if setting.description else ""))
