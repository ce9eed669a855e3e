"""VASP without VASP: POTCARs that hold nothing of the licensed ones, and a code that runs aiida-vasp's ``mock-vasp``.

``mock-vasp`` answers from a registry by the content of INCAR, KPOINTS and POSCAR; on a miss it runs ``fake_vasp.py``
and registers what that leaves. So jobs, parsers and handlers of aiida-vasp run as they would with VASP.
"""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from aiida import orm
from aiida.plugins import DataFactory

FAKE_VASP = Path(__file__).with_name("fake_vasp.py")
# As much as aiida-vasp reads of a POTCAR. No line of it is VASP's.
POTCAR = """  PAW_PBE {symbol} 01Jan2000
   1.00000000000000
 parameters from PSCTR are:
   VRHFIN ={element}: dummy
   LEXCH  = PE
   EATOM  =     1.0000 eV,    0.1000 Ry
   TITEL  = PAW_PBE {symbol} 01Jan2000
   LULTRA =        F    use ultrasoft PP ?
   ENMAX  =  100.000; ENMIN  =   75.000 eV
   POMASS =    1.000; ZVAL   =    1.000    mass and valenz
END of PSCTR-controll parameters
 a dummy for tests, no potential
 End of Dataset
"""


def upload_potcars(folder: Path, family: str, symbols: Mapping[str, str]) -> None:
    """Make dummy POTCARs under ``folder`` and upload them as a family.

    :param symbols: the POTCAR of each element, as ``{"Li": "Li_sv"}``.
    """
    for element, symbol in symbols.items():
        path = folder / family / symbol / "POTCAR"
        path.parent.mkdir(parents=True)
        path.write_text(POTCAR.format(element=element, symbol=symbol), encoding="utf-8")
    DataFactory("vasp.potcar").upload_potcar_family(
        folder / family, group_name=family, group_description="dummies", stop_if_existing=False
    )


def mock_code(
    computer: orm.Computer, folder: Path, ways: Mapping[str, str] | None = None, label: str = "vasp"
) -> orm.InstalledCode:
    """Return a code that answers as VASP, with its registry under ``folder``.

    :param ways: how ``fake_vasp.py`` fails, by the length of the first lattice vector in Å with three decimals.
    """
    registry, program = folder / "registry", folder / "fake-vasp"
    registry.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE_VASP}"\n', encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = {
        "OMP_NUM_THREADS": "1",
        "MOCK_VASP_REG_BASE": registry,
        "MOCK_VASP_VASP_CMD": program,
    }
    if ways:
        environment["FAKE_VASP_WAYS"] = folder / "ways.json"
        (folder / "ways.json").write_text(json.dumps(dict(ways)), encoding="utf-8")
    return orm.InstalledCode(
        label=label,
        computer=computer,
        default_calc_job_plugin="vasp.vasp",
        filepath_executable=str(Path(sys.executable).parent / "mock-vasp"),
        prepend_text="\n".join(f"export {name}='{value}'" for name, value in environment.items()),
    ).store()
