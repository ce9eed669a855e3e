"""Shell texts that go along are told by the code or computer they belong to."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_seireact.publishing.scripts import with_scripts
from aiida_seireact.publishing.subgraph import SubGraph
from tests.cli.conftest import add_job, call, finish, workchain


def test_codes_and_computers_with_texts_are_named_and_no_others(aiida_profile: Any) -> None:
    top = workchain("ReactWorkChain")
    plain = add_job("label", "seireact.ase", top, "plain")
    computer = orm.Computer("with-token", "localhost", transport_type="core.local", scheduler_type="core.direct")
    computer.set_prepend_text("export TOKEN=1")
    computer.store()
    job = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:seireact.lammps")
    for name, text in {"with-module": "module load it", "bare": " "}.items():
        code = orm.InstalledCode(
            label=name, computer=computer, filepath_executable="/bin/true", prepend_text=text
        ).store()
        job.base.links.add_incoming(code, LinkType.INPUT_CALC, name.replace("-", "_"))
    call(top, job, "md")
    job.store()
    for process in (plain, job, top):
        finish(process)
        process.seal()
    assert with_scripts(SubGraph.of([top])) == ["code with-module", "computer with-token"]
