"""The most memory that a program took, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from pathlib import Path
from aiida_seireact.programs.{name} import main
try:
    main(["job.json"], standalone_mode=False)
except SystemExit as end:
    assert not end.code
# ru_maxrss would count the process that started this one, too.
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


def peak_kib(name: str, folder: Path) -> int:
    """Run the program on ``job.json`` in a folder; return its peak memory in KiB."""
    command = [sys.executable, "-c", PROGRAM.format(name=name)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-2])
