"""Find the codes that `aiida-seireact setup` made."""

from __future__ import annotations

from aiida import orm
from aiida.common.exceptions import NotExistent

PROGRAMS = ("label", "flare", "train", "compile", "lmp", "select", "classify", "analyse")


def find_code(program: str, computer: str = "localhost") -> orm.AbstractCode:
    """Return the newest code of ``seireact-<program>`` on a computer.

    :raises NotExistent: there is none; run `aiida-seireact setup`.
    """
    query = orm.QueryBuilder()
    query.append(orm.Computer, filters={"label": computer}, tag="computer")
    query.append(
        orm.InstalledCode,
        filters={"label": {"like": f"seireact-{program}-%"}},
        with_computer="computer",
        tag="code",
        project="*",
    )
    query.order_by({"code": {"ctime": "desc"}})
    code = next((code for code in query.all(flat=True) if not code.is_hidden), None)
    if code is None:
        raise NotExistent(
            f"There is no code seireact-{program}-<version> on computer {computer!r} in this profile: "
            f"run `aiida-seireact setup --computer {computer}`."
        )
    return code


def find_codes(computer: str = "localhost") -> dict[str, orm.AbstractCode]:
    """Return the newest code of every program on a computer."""
    return {program: find_code(program, computer) for program in PROGRAMS}
