"""Each protocol's scorecard accepts a model that is its labeller: no line fails for a reason of its own."""

from __future__ import annotations

import zlib
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.units import GPa

from aiida_seireact.formats.scorecard import Scorecard, read_scorecard
from aiida_seireact.science.run_health import DRIFT_PS
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.science.validation.dimers import zbl_energy
from aiida_seireact.science.validation.lines import Answer, Asked, Evidence, HeldOut, Labels, Pair, Run
from aiida_seireact.science.validation.stability import Stability
from aiida_seireact.science.validation.targets import misses
from tests.science.validation.test_physics_lines import md_of, rattle

TEXT = resources.files("aiida_seireact.workchains").joinpath("protocols", "validate.yaml").read_text("utf-8")
CARDS = {name: content["scorecard"] for name, content in yaml.safe_load(TEXT)["protocols"].items()}
PHASES = {str(atoms.info["config_type"]): atoms for atoms in phase_cells(["Li", "Li2S", "Li3P", "Li6PS5Cl", "LiCl"])}
VOLUMES = {name: 0.95 * atoms.get_volume() / len(atoms) for name, atoms in PHASES.items()}


@pytest.fixture(params=sorted(CARDS))
def card(request: pytest.FixtureRequest) -> Scorecard:
    return read_scorecard(CARDS[request.param])


def toy(asked: Asked) -> Labels:
    """Return labels of a solid: energies with a minimum in the volume, stresses of a stable cubic crystal."""
    atoms = asked.atoms
    n_atoms, strain = len(atoms), atoms.get_volume() / len(atoms) / VOLUMES[asked.subject] - 1
    own = -1.0 - zlib.crc32(asked.subject.encode()) % 7 / 10
    energy = n_atoms * (own + 0.5 * VOLUMES[asked.subject] * 0.1 * strain**2)
    edge = (n_atoms * VOLUMES[asked.subject]) ** (1 / 3)
    gradient = atoms.cell.array.T / edge
    given = (gradient + gradient.T) / 2 - np.eye(3)
    voigt = np.array([given[0, 0], given[1, 1], given[2, 2], 2 * given[1, 2], 2 * given[0, 2], 2 * given[0, 1]])
    stiffness = np.diag([40.0] * 3 + [30.0] * 3)
    stiffness[:3, :3] += 40.0
    forces = np.random.default_rng(n_atoms).normal(size=(n_atoms, 3))
    return Labels(energy, forces, stiffness @ voigt * GPa)


def two_nuclei(asked: Asked) -> Answer:
    first, second = asked.atoms.get_chemical_symbols()
    r = asked.atoms.get_distance(0, 1)
    energy = lambda d: float(zbl_energy(first, second, d))  # noqa: E731
    force = -(energy(r + 1e-5) - energy(r - 1e-5)) / 2e-5 * (asked.atoms.positions[1] - asked.atoms.positions[0]) / r
    return Answer(asked.subject, asked.atoms, Labels(energy(r), np.array([-force, force]), None))


def held_out() -> HeldOut:
    cells: list[Atoms] = list(PHASES.values())
    labels = [toy(Asked(name, atoms)) for name, atoms in PHASES.items()]
    columns = {
        "energy": np.array([one.energy for one in labels]),
        "forces": np.concatenate([one.forces for one in labels]),
        "stress": np.array([one.stress for one in labels]),
    }
    return HeldOut(
        config_type=np.array(list(PHASES)),
        frame_ids=list(PHASES),
        numbers=np.concatenate([atoms.numbers for atoms in cells]),
        offsets=np.cumsum([0, *(len(atoms) for atoms in cells)]),
        reference=columns,
        predicted=columns,
    )


def failures(asked: Any, evidence: Evidence) -> dict[str, str]:
    found = asked.measure(evidence)
    assert found
    return {f"{one.subject} {one.quantity}: {one.note}": why for one in found if (why := misses(one, asked.target))}


def test_a_model_that_is_the_labeller_misses_no_target_on_cells(card: Scorecard) -> None:
    looked_at = 0
    for name, asked in card.lines.items():
        static, alone = asked.static(PHASES), asked.alone(PHASES)
        if not (static or alone or asked.needs_held_out):
            continue
        pairs = [Pair(one.subject, one.atoms, f"{name}/{i}", toy(one), toy(one)) for i, one in enumerate(static)]
        evidence = Evidence(PHASES, pairs, held_out=held_out(), alone=[two_nuclei(one) for one in alone])
        assert failures(asked, evidence) == {}, name
        looked_at += 1
    assert looked_at >= 7


def test_a_model_with_the_run_of_the_labeller_misses_no_target_on_structure(card: Scorecard) -> None:
    for name, asked in card.lines.items():
        if asked.test != "rdf":
            continue
        few = replace(asked, frames_every=asked.steps // 8)
        runs: dict[str, Run] = {}
        places: dict[str, Any] = {}
        for run in few.runs(PHASES):
            made = md_of(run, rattle)
            runs[run.name] = replace(made, positions=places.setdefault(run.subject, made.positions))
        assert failures(few, Evidence(PHASES, runs=runs)) == {}, name


def test_what_a_protocol_screens_can_be_measured_in_its_runs(card: Scorecard) -> None:
    assert card.runs(PHASES)  # no element that is not there, no two unlike runs of a name
    for asked in card.lines.values():
        if isinstance(asked, Stability):
            assert asked.steps * asked.timestep_fs / 1000 >= DRIFT_PS


@pytest.mark.parametrize("name", ["balanced", "paper"])
def test_diffusion_has_bounds_and_its_run_is_screened(name: str) -> None:
    card = read_scorecard(CARDS[name])
    runs = {line: [run.name for run in asked] for line, asked in card.runs(PHASES).items()}
    assert runs["diffusion"] == runs["electrolyte stays when hot"]
    assert card.lines["diffusion"].target.max == 1e-4
    assert any("Li3P" in run for names in runs.values() for run in names)
