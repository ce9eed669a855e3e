"""Codes of programs that other plugins start: made, reused, or hidden when the program is upgraded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida.orm import Computer, InstalledCode

Tell = Callable[..., None]


@dataclass(frozen=True)
class PluginProgram:
    """A program that is not ours.

    :param name: as people call it.
    :param prefix: of the label of its codes.
    :param plugin: entry point (``aiida.calculations``) that starts it.
    :param install: the command that installs it.
    :param option: of `aiida-seireact setup` that looks after it.
    """

    name: str
    prefix: str
    plugin: str
    install: str
    option: str

    @property
    def cached(self) -> str:
        """The pattern of AiiDA's cache."""
        return f"aiida.calculations:{self.plugin}"


def look_after_code(
    program: PluginProgram,
    found: tuple[str, str] | None,
    computer: Computer | None,
    *,
    dry_run: bool,
    tell: Tell,
    preparation: str = "export OMP_NUM_THREADS=1",
) -> None:
    """Make, or reuse, the code of a program; hide those of its other versions at the same path.

    :param found: path and version on that computer, None if it is not there.
    :param preparation: lines of a shell before the program starts; changed ones make another code, too.
    """
    if found is None:
        where = "this machine" if computer is None else computer.label
        tell(
            f"code of {program.name}",
            "missing",
            f"{program.name} is not on PATH of {where}: `{program.install}`, or, where modules have to be loaded "
            f"first, make the code yourself by `verdi code create core.code.installed -P {program.plugin}`.",
        )
        return
    path, version = found
    content = {
        "filepath_executable": path,
        # An upgraded program keeps its path: the version makes another code of it, and so another cache.
        "prepend_text": f"# versions: {program.name} {version}\n{preparation}",
    }
    codes = [] if computer is None else _codes_on(computer, program)
    same = [code for code in codes if all(str(getattr(code, key)) == value for key, value in content.items())]
    if same:
        tell(f"code {same[0].label}", "reused", path)
        if not dry_run:
            same[0].is_hidden = False
    else:
        label = f"{program.prefix}-{version}"
        if label in {code.label for code in codes}:
            label += f"-{len(codes) + 1}"
        if not dry_run and computer is not None:
            _make_code(label, computer, program, content)
        tell(f"code {label}", "would make" if dry_run else "made", path)
    for code in codes:
        if str(code.filepath_executable) == path and code not in same and not code.is_hidden:
            if not dry_run:
                code.is_hidden = True
            outcome = "would hide" if dry_run else "hidden"
            tell(f"code {code.label}", outcome, f"this {program.name} is of another version now")


def _codes_on(computer: Computer, program: PluginProgram) -> list[InstalledCode]:
    from aiida.orm import Computer, InstalledCode, QueryBuilder

    query = QueryBuilder().append(Computer, filters={"id": computer.pk}, tag="computer")
    filters = {"attributes.input_plugin": program.plugin}
    query.append(InstalledCode, filters=filters, with_computer="computer", tag="code", project="*")
    codes: list[InstalledCode] = query.order_by({"code": "id"}).all(flat=True)
    return codes


def _make_code(label: str, computer: Computer, program: PluginProgram, content: dict[str, str]) -> None:
    from aiida.orm import InstalledCode

    # Whether MPI is used is said by the options of each workflow, so not here.
    InstalledCode(
        label=label,
        computer=computer,
        description=f"{program.name}, made by `aiida-seireact setup {program.option}`",
        default_calc_job_plugin=program.plugin,
        **content,
    ).store()
