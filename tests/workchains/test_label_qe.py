"""Labels by the real pw.x: energies, forces and stresses that belong together, and frames that fail alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase import Atoms
from ase.build import bulk
from ase.units import GPa

from aiida_seireact.cli import quantum_espresso
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.codes import find_plugin_code
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.label_qe import QeLabelWorkChain
from tests.pw_x import need_pw

# Small cells at the cut-off of the protocol: 4x4x4 for two atoms of Li, 3x3x3 for the primitive cell of Li2S.
SMALL = {
    "pseudo_family": "SG15/1.2/PBE/SR",
    "species": ["Li", "P", "S", "Cl"],
    "kmesh": [{"length_ang": 13.7, "species": ["Li"]}, {"length_ang": 10.0}],
    "insulators": ["Li2S", "Li6PS5Cl"],
}


@pytest.fixture(scope="module")
def pw(this_machine: orm.Computer) -> orm.AbstractCode:
    """Return the code of pw.x as `aiida-seireact setup --with-qe` makes it, with its pseudopotentials."""
    need_pw()
    told: list[tuple[str, ...]] = []
    quantum_espresso.look_after(this_machine, dry_run=False, tell=lambda *step: told.append(step))
    assert [outcome for _, outcome, _ in told if outcome == "missing"] == [], told
    return find_plugin_code("quantumespresso.pw", this_machine.label)


def lithium(displaced_ang: float = 0.15) -> Atoms:
    atoms = bulk("Li", "bcc", a=3.43, cubic=True)
    atoms.positions[1, 0] += displaced_ang
    atoms.info.update(config_type="Li", group="Li")
    return atoms


def label(code: orm.AbstractCode, images: list[Atoms], **settings: Any) -> orm.WorkChainNode:
    with enable_caching():
        _, node = run_get_node(
            QeLabelWorkChain, code=code, frames=FramesData.from_ase(images), parameters=orm.Dict({**SMALL, **settings})
        )
    return node


def test_it(pw):
    import time
    t=time.time()
    node = label(pw, [lithium(), lithium(0.16)])
    print(time.time()-t, node.exit_message)
    print(node.outputs.failures.get_dict())
    f = node.outputs.frames.frames
    print(f.energy, f.forces, f.stress, f.settings_hash)
    for c in node.called_descendants:
        print(c.process_label, c.exit_status, [ (l.link_label) for l in c.base.links.get_outgoing().all()])
    calc=[c for c in node.called_descendants if c.process_label=="PwCalculation"][0]
    import json
    print(json.dumps(calc.outputs.output_parameters.get_dict(),indent=1))
    print({k: calc.outputs.output_trajectory.get_array(k) for k in calc.outputs.output_trajectory.get_arraynames()})
    print(calc.outputs.retrieved.base.repository.get_object_content('aiida.out')[-3000:])
    print(calc.base.repository.get_object_content('aiida.in'))
