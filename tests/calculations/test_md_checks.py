"""What of an MD run does not go together is said before it is queued."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from ase.build import bulk

from aiida_seireact.calculations.lammps import validate_start
from aiida_seireact.calculations.md_checks import validate_loadable, validate_start_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from tests.models import compiled_card


@pytest.fixture
def inputs(tmp_path, aiida_localhost):
    """Return a factory of inputs of `seireact.lammps`."""

    def make(md: dict[str, Any], kind: str = "allegro-compiled", program: str = "seireact-lmp", **others: Any):
        path = tmp_path / "model"
        path.write_bytes(b"model")
        card = {**compiled_card(["Li", "S"]), "kind": kind}
        code = orm.InstalledCode(label=program, computer=aiida_localhost, filepath_executable=f"/bin/{program}")
        return {
            "code": code,
            "companion": code,
            "structure": FramesData.from_ase([bulk("LiS", "rocksalt", a=5.0) * (2, 2, 2)]),
            "potential": PotentialData(path, card=card),
            "parameters": orm.Dict({"md": md}),
            "metadata": {"options": {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}},
            **others,
        }

    return make


def refused(inputs: dict[str, Any]) -> str | None:
    return validate_start(inputs, None)


def test_what_goes_together_is_let_through(inputs):
    assert refused(inputs({})) is None
    assert refused(inputs({"pair": {"kind": "pace"}}, "pace", "lmp")) is None
    md = {"groups": {"few": {"ids": [1, 2]}}, "fixed": "few", "dumps": {"li": {"group": "Li"}}}
    assert refused(inputs(md)) is None


@pytest.mark.parametrize(
    ("md", "kind", "program", "sentence"),
    [
        ({"pair": {"kind": "pace"}}, "allegro-compiled", "lmp", "loads a potential of kind pace, this one is of kind "),
        ({}, "pace", "lmp", "give another, or set md.pair.kind to pace"),
        ({"pair": {"kind": "pace"}}, "pace", "seireact-lmp", "runs `pair_style allegro` alone: for pace give the code"),
        ({"computes": {"p": {"kind": "ptm"}}}, "allegro-compiled", "seireact-lmp", "no package PTM, so md.computes.p"),
        ({"dumps": {"d": {"group": "Cl"}}}, "allegro-compiled", "lmp", "asks for Cl, but the cell holds Li, S only"),
        ({"groups": {"g": {"ids": [99]}}}, "allegro-compiled", "lmp", "The group g of md.groups holds no atom"),
        (
            {"groups": {"g": {"species": ["Li", "S"]}}, "fixed": "g"},
            *("allegro-compiled", "lmp", "which is all atoms of this structure"),
        ),
        (
            {"regions": {"r": {"z_ang": [90.0, 95.0]}}, "groups": {"g": {"region": "r"}}},
            *("allegro-compiled", "lmp", "The group g of md.groups holds no atom"),
        ),
    ],
)
def test_what_does_not_is_refused_in_a_sentence(inputs, md, kind, program, sentence):
    assert sentence in str(refused(inputs(md, kind, program)))


def test_types_in_another_order_than_the_file_counts_them_are_refused(inputs, aiida_localhost):
    told = {"lammps": {"file": "cell.data", "sha256": "a" * 64, "bytes": 7}}
    report = orm.Dict({"species": ["S", "Li"], "counts": {"Li": 2, "S": 1}, "files": told})
    cell = {"folder": orm.RemoteData(remote_path="/b", computer=aiida_localhost).store(), "report": report}
    given = inputs({"pair": {"kind": "flare"}}, "flare-coefficients", "lmp", cell=cell)
    del given["structure"]
    assert "as its file counts them, Li, S, but the types of the cell are S, Li" in str(refused(given))


def test_a_file_that_no_pair_style_loads_is_refused(inputs):
    assert "compile it" in str(validate_loadable(inputs({}, "allegro-package")["potential"], None))
    assert validate_loadable(inputs({}, "pace")["potential"], None) is None


def test_a_safe_start_moves_all_atoms_by_seireact_lmp():
    held = orm.Dict({"md": {"groups": {"g": {"ids": [1]}}, "fixed": "g"}})
    assert "md.fixed holds g: leave `start` or md.fixed out" in str(validate_start_of(held))
    assert "no pair style pace" in str(validate_start_of(orm.Dict({"md": {"pair": {"kind": "pace"}}})))
    assert validate_start_of(orm.Dict({"md": {}})) is None
