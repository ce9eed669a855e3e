"""How one of our programs is started: nodes become a job file and data files in an otherwise empty folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from aiida import orm
from aiida.common import LinkType
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from plumpy.ports import OutputPort

from aiida_seireact.formats import files

# What every job has, whatever its parser makes of it.
UNPARSED = ("remote_folder", "retrieved", "remote_stash")


@dataclass
class Links:
    """Files of a job taken from where they lie: from the repository, or from another folder of the computer."""

    local_copy: list[tuple[str, str, str]] = field(default_factory=list)
    remote_symlink: list[tuple[str, str, str]] = field(default_factory=list)


class ProgramCalculation(CalcJob):
    """Base of the CalcJobs that run a ``seireact-*`` program.

    A subclass says which files it writes (:meth:`write_files`) and which files come back. Bulk output is retrieved to
    a temporary folder: the parser makes nodes of it, and nothing is stored twice.
    """

    PARSER: ClassVar[str]
    RETRIEVE: ClassVar[tuple[str, ...]] = ()
    RETRIEVE_TEMPORARY: ClassVar[tuple[str, ...]] = ()
    # Inputs that only save time: with or without them the outputs are the same, so the cache must not ask for them.
    UNHASHED: ClassVar[tuple[str, ...]] = ()
    # Options of the scheduler of which the same holds; aiida-core leaves out queue, account and walltime itself.
    UNHASHED_OPTIONS: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "code",
            valid_type=orm.AbstractCode,
            validator=validate_program,
            help="The program; `aiida-seireact setup` makes one code for each program and version.",
        )
        spec.inputs["metadata"]["options"]["parser_name"].default = cls.PARSER
        spec.inputs["metadata"]["options"]["resources"].default = {
            "num_machines": 1,
            "num_mpiprocs_per_machine": 1,
        }
        spec.inputs["metadata"]["options"]["withmpi"].default = False

        spec.exit_code(
            210,
            "ERROR_INVALID_INPUT",
            message="The program refused its input: {message}",
            invalidates_cache=True,
        )
        spec.exit_code(
            220,
            "ERROR_MISSING_PACKAGE",
            message="The program lacks a package: {message}",
            invalidates_cache=True,
        )
        spec.exit_code(
            310,
            "ERROR_OUTPUT_UNREADABLE",
            message="The program ended well, but its output is not whole: {message}",
            invalidates_cache=True,
        )
        spec.exit_code(
            410,
            "ERROR_NO_RESULT",
            message="The program left no result: it was killed, ran out of time or disk, or never started. {message}",
            invalidates_cache=True,
        )
        spec.exit_code(420, "ERROR_PROGRAM_FAILED", message="The program failed: {message}", invalidates_cache=True)
        spec.exit_code(
            425, "ERROR_DISK_FULL", message="There is no room for the output: {message}", invalidates_cache=True
        )

    @classmethod
    def is_valid_cache(cls, node: orm.ProcessNode) -> bool:
        """Refuse also jobs that ended well by their status and lack an output: a crash cut them short."""
        return super().is_valid_cache(node) and not (node.is_finished_ok and missing_outputs(cls, node))

    def _setup_inputs(self) -> None:
        super()._setup_inputs()
        # aiida-core 2.9 has no port option for this; the hash is computed once, when the node is stored after this.
        caching = self.node.base.caching
        caching._hash_ignored_inputs = [*caching._hash_ignored_inputs, *self.UNHASHED]
        if self.UNHASHED_OPTIONS:
            self.node._hash_ignored_attributes = (*self.node._hash_ignored_attributes, *self.UNHASHED_OPTIONS)

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        """Write the data files of the job into ``folder`` and return the content of its job file.

        :param links: takes files that lie somewhere already.
        """
        raise NotImplementedError

    def arguments(self) -> list[str]:
        """Return the command line of the program."""
        return [files.JOB]

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        root = Path(folder.abspath)
        links = Links()
        job = self.write_files(root, links)
        (root / files.JOB).write_text(json.dumps(job, indent=2, sort_keys=True), encoding="utf-8")

        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = self.arguments()

        info = CalcInfo()
        info.codes_info = [code]
        info.retrieve_list = [files.RESULT, files.JOB, *self.RETRIEVE]
        info.retrieve_temporary_list = list(self.RETRIEVE_TEMPORARY)
        # The content is in the input nodes already; copies of it would double the repository.
        info.provenance_exclude_list = [path.name for path in root.iterdir() if path.name != files.JOB]
        info.local_copy_list = links.local_copy
        info.remote_symlink_list = links.remote_symlink
        return info


def missing_outputs(process_class: type[CalcJob], node: orm.ProcessNode) -> list[str]:
    """Return the required outputs that the parser of a job should have made and that it lacks."""
    held = set(node.base.links.get_outgoing(link_type=LinkType.CREATE).all_link_labels())
    return [
        name
        for name, port in process_class.spec().outputs.items()
        if isinstance(port, OutputPort) and port.required and name not in held.union(UNPARSED)
    ]


def validate_program(code: orm.AbstractCode, _: Any) -> str | None:
    """Refuse a local program that is not there, before anything is queued.

    Programs on clusters are looked for by `aiida-seireact doctor`: a validator must not open connections.
    """
    computer = getattr(code, "computer", None)
    if computer is None or computer.transport_type != "core.local":
        return None
    path = Path(str(code.filepath_executable)) if isinstance(code, orm.InstalledCode) else None
    if path is not None and path.is_absolute() and not path.exists():
        return (
            f"The program {path} of code {code.full_label} is not there: install it "
            "(`pip install aiida-seireact[all]`), then run `aiida-seireact setup` again."
        )
    return None
