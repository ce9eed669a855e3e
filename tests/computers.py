"""This machine as a computer of AiiDA that is never waited for."""

from __future__ import annotations

import secrets
from pathlib import Path

from aiida import orm


def local_computer(folder: Path, mpiexec: str = "") -> orm.Computer:
    """Return it under a new label, since tests empty the profile.

    :param folder: where its jobs run.
    :param mpiexec: what starts several ranks; empty: nothing.
    """
    computer = orm.Computer(
        label=f"here-{secrets.token_hex(4)}",
        hostname="localhost",
        transport_type="core.local",
        scheduler_type="core.direct",
        workdir=str(folder),
    ).store()
    if mpiexec:
        computer.set_mpirun_command([mpiexec, "-n", "{tot_num_mpiprocs}"])
    computer.set_minimum_job_poll_interval(0)
    computer.configure(safe_interval=0, use_login_shell=False)
    return computer
