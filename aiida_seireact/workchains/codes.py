"""Find the codes that `aiida-seireact setup` made."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_seireact.formats.jobs.classify import PYACE_CODE
from aiida_seireact.formats.lammps_command import NATIVE_CODE

# Those of a study; the other programs are found by name where they are used.
PROGRAMS = ("sample", "label", "flare", "train", "compile", "lmp", "select", "validate", "classify", "analyse")


def find_code(program: str, computer: str = "localhost") -> orm.AbstractCode:
    """Return the newest code of ``seireact-<program>`` on a computer.

    :raises NotExistent: there is none; run `aiida-seireact setup`.
    """
    code = _newest({"label": {"like": f"seireact-{program}-%"}}, computer)
    if code is None:
        raise NotExistent(
            f"There is no code seireact-{program}-<version> on computer {computer!r} in this profile: "
            f"run `aiida-seireact setup --computer {computer}`."
        )
    return code


def find_plugin_code(plugin: str, computer: str = "localhost") -> orm.AbstractCode:
    """Return the newest code on a computer of a program that is not ours, by its plugin, as ``quantumespresso.pw``.

    :raises NotExistent: there is none.
    """
    code = _newest({"attributes.input_plugin": plugin}, computer)
    if code is None:
        raise NotExistent(
            f"There is no code of plugin {plugin!r} on computer {computer!r} in this profile: make one by "
            f"`verdi code create core.code.installed -P {plugin}`; those of pw.x and CP2K by "
            "`aiida-seireact setup --with-qe` and `--with-cp2k`."
        )
    return code


def find_lammps(n_ranks: int = 1, computer: str = "localhost") -> orm.AbstractCode:
    """Return the newest code of what runs MD: seireact-lmp on one rank, LAMMPS itself on several.

    On one rank seireact-lmp is as fast to a few percent, and looks for holes and collisions while it runs, which LAMMPS
    leaves to the monitor.

    :raises NotExistent: there is none; the message names the command that makes it.
    """
    if n_ranks == 1:
        return find_code("lmp", computer)
    code = _newest({"label": {"like": f"{NATIVE_CODE}-%"}}, computer)
    if code is None:
        raise NotExistent(
            f"There is no LAMMPS for {n_ranks} ranks on computer {computer!r} in this profile: run `aiida-seireact "
            "setup --pair-style`, or make a code of your own LAMMPS (docs: Run LAMMPS itself)."
        )
    return code


def find_classify(source: str = "ace", computer: str = "localhost") -> orm.AbstractCode:
    """Return the newest code of seireact-classify on a computer whose environment holds a source of descriptors.

    :raises NotExistent: there is none; the message names the command that makes it.
    """
    if source != "pyace":
        return find_code("classify", computer)
    code = _newest({"label": {"like": f"{PYACE_CODE}%"}}, computer)
    if code is None:
        raise NotExistent(
            f"There is no seireact-classify with python-ace on computer {computer!r} in this profile: run "
            "`aiida-seireact setup --with-pyace` (it shows the licence, which is academic and non-commercial)."
        )
    return code


def find_codes(computer: str = "localhost") -> dict[str, orm.AbstractCode]:
    """Return the newest code on a computer of every program of a study."""
    return {program: find_code(program, computer) for program in PROGRAMS}


def _newest(filters: dict[str, Any], computer: str) -> orm.AbstractCode | None:
    query = orm.QueryBuilder()
    query.append(orm.Computer, filters={"label": computer}, tag="computer")
    query.append(orm.InstalledCode, filters=filters, with_computer="computer", tag="code", project="*")
    query.order_by({"code": {"ctime": "desc"}})
    return next((code for code in query.all(flat=True) if not code.is_hidden), None)
