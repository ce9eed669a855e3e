"""The Gaussian process against FLARE's own Python classes, and FLARE's two ways to give wrong numbers in silence."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers
from ase.md.verlet import VelocityVerlet

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.formats.jobs.flare import GpSettings
from aiida_seireact.programs._flare_gp import FlareGP
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator, SparseGPError, standard_deviations
from aiida_seireact.science.structures import argyrodite, training_cell

SPECIES = ("Li", "P", "S", "Cl")
ENERGIES_EV = {"Li": -1.9, "P": -5.2, "S": -4.1, "Cl": -1.7}
PLAIN = GpSettings()


@pytest.fixture(scope="module", autouse=True)
def _flare() -> None:
    pytest.importorskip("flare.bffs.sgp._C_flare", reason="mir-flare is not installed", exc_type=ImportError)


def labelled(atoms: Atoms, calculator: Calculator | None = None) -> Atoms:
    """A copy with the labels of ``calculator``; default: Lennard-Jones for lithium, or made-up ones."""
    atoms = atoms.copy()
    if calculator is None:
        rng = np.random.default_rng(len(atoms))
        energy = -2.0 * len(atoms) + rng.normal()
        forces, stress = rng.normal(size=(len(atoms), 3)), rng.normal(scale=0.02, size=6)
    else:
        atoms.calc = calculator
        energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
    return atoms


def lithium(count: int, *, amplitude: float = 0.12) -> list[Atoms]:
    """Rattled, strained bcc cells of 54 atoms, with the labels of Lennard-Jones."""
    images = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        atoms = bulk("Li", "bcc", a=3.5, cubic=True) * (3, 3, 3)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
        images.append(labelled(atoms, LennardJones(sigma=2.75, epsilon=0.15, rc=6.5, smooth=True)))
    return images


def mixture(seed: int, *, amplitude: float = 0.1) -> Atoms:
    """Sixteen atoms of four species, sheared and rattled, with made-up labels."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Ar", "fcc", a=3.9, cubic=True) * (2, 2, 1)
    atoms.set_chemical_symbols([SPECIES[index % 4] for index in range(16)])
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.03, (3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(0, amplitude, atoms.positions.shape)
    return labelled(atoms)


def interface(seed: int) -> Atoms:
    """The 58 atoms of Li metal and Li6PS5Cl that models are trained on, rattled, with made-up labels."""
    atoms = training_cell()
    atoms.positions += np.random.default_rng(seed).normal(0, 0.08, atoms.positions.shape)
    return labelled(atoms)


def conductor() -> list[Atoms]:
    """Rattled cells of Li6PS5Cl of 52 atoms, with the labels of Lennard-Jones, which bind."""
    images = []
    for seed in range(4):
        atoms = argyrodite(seed=0)
        atoms.rattle(0.03, seed=seed)
        images.append(labelled(atoms, LennardJones(sigma=1.7, epsilon=0.05, rc=5.0, smooth=True)))
    return images


def trained(settings: GpSettings, species: Sequence[str], images: list[Atoms], atoms_each: int) -> FlareGP:
    """A process that learned each frame and ``atoms_each`` environments of it, drawn at random."""
    gp = FlareGP(settings, species, ENERGIES_EV)
    for number, atoms in enumerate(images):
        gp.learn(atoms, f"frame {number}", drawn(atoms, number, atoms_each))
    return gp


def drawn(atoms: Atoms, number: int, count: int) -> list[int]:
    return sorted(np.random.default_rng(number).choice(len(atoms), count, replace=False).tolist())


def oracle(settings: GpSettings, species: Sequence[str], images: list[Atoms], atoms_each: int) -> tuple[Any, list[Any]]:
    """FLARE's own calculator, fed by FLARE's own wrapper; the second keeps what it forgets to keep alive."""
    from flare.bffs.sgp._C_flare import B2, NormalizedDotProduct
    from flare.bffs.sgp.calculator import SGP_Calculator
    from flare.bffs.sgp.sparse_gp import SGP_Wrapper

    kernels = [NormalizedDotProduct(settings.sigma, settings.power)]
    form = [len(species), settings.n_max, settings.l_max]
    descriptors = [B2("chebyshev", "quadratic", [0.0, settings.cutoff_ang], [], form)]
    wrapper = SGP_Wrapper(
        kernels,
        descriptors,
        settings.cutoff_ang,
        settings.noise_energy_ev,
        settings.noise_force_ev_per_ang,
        settings.noise_stress_ev_per_ang3,
        {atomic_numbers[symbol]: index for index, symbol in enumerate(species)},
        variance_type="local",
        single_atom_energies={index: ENERGIES_EV[symbol] for index, symbol in enumerate(species)},
    )
    for number, atoms in enumerate(images):
        wrapper.update_db(
            atoms,
            atoms.get_forces(),
            custom_range=drawn(atoms, number, atoms_each),
            energy=atoms.get_potential_energy(),
            stress=-atoms.get_stress()[[0, 5, 4, 1, 3, 2]],
        )
    return SGP_Calculator(wrapper), [*kernels, *descriptors]


def predicted(calculator: Any, atoms: Atoms) -> dict[str, Any]:
    calculator.calculate(atoms, ["energy", "forces", "stress"])
    return dict(calculator.results)


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Energy, forces and stress to 1e-8 of the largest, standard deviations to 1e-6."""
    for name in ("energy", "forces", "stress"):
        scale = np.abs(expected[name]).max()
        assert scale > 1e-6, name
        assert np.abs(found[name] - expected[name]).max() < 1e-8 * scale, name
    deviations = expected["stds"] if expected["stds"].ndim == 1 else expected["stds"][:, 0]
    assert np.abs(found["stds"] - deviations).max() < 1e-6


CASES: dict[str, tuple[GpSettings, Sequence[str], Callable[[], list[Atoms]], int]] = {
    "lithium": (PLAIN, ("Li",), lambda: lithium(4), 20),
    "lithium, l_max 3": (GpSettings(n_max=9, l_max=3, cutoff_ang=6.0), ("Li",), lambda: lithium(3), 15),
    "four species": (PLAIN, SPECIES, lambda: [mixture(seed) for seed in range(4)], 8),
    "four species in another order": (PLAIN, ("S", "Li", "Cl", "P"), lambda: [mixture(seed) for seed in range(4)], 8),
    "power 3": (GpSettings(power=3, l_max=1, n_max=3), SPECIES, lambda: [mixture(seed) for seed in range(4)], 8),
    "interface": (PLAIN, SPECIES, lambda: [interface(seed) for seed in range(3)], 30),
}


@pytest.mark.parametrize("case", CASES)
def test_predictions_are_those_of_flare(case: str) -> None:
    settings, species, make, atoms_each = CASES[case]
    *images, unseen = make()
    theirs, alive = oracle(settings, species, images, atoms_each)
    process = trained(settings, species, images, atoms_each)
    gp = process.export("hash")
    assert len(alive) == 2
    assert gp.n_sparse == process.n_sparse == theirs.gp_model.sparse_gp.n_sparse
    for atoms in (images[0], unseen):
        expected = predicted(theirs, atoms)
        assert_equal(predicted(SparseGPCalculator(gp), atoms), expected)
        assert np.abs(standard_deviations(gp, atoms) - expected["stds"][:, 0]).max() < 1e-6
        assert np.abs(process.standard_deviations(atoms) - expected["stds"][:, 0]).max() < 1e-12


def steps_until(calculator: Any, start: Atoms, threshold: float, temperature_k: float) -> tuple[int, Atoms]:
    """Steps of hot dynamics until an atom's standard deviation passes the threshold, and the last structure."""
    atoms = start.copy()
    atoms.calc = calculator
    velocities = np.random.default_rng(1).normal(size=(len(atoms), 3))
    atoms.set_velocities(velocities * np.sqrt(temperature_k * units.kB / atoms.get_masses())[:, None])
    dynamics = VelocityVerlet(atoms, 2 * units.fs)
    for step in range(150):
        atoms.get_forces()
        if np.max(calculator.results["stds"]) > threshold:
            return step, atoms
        dynamics.run(1)
    raise AssertionError("the dynamics never became uncertain")


# Name: settings, species, frames learned, environments of each, start, threshold, K.
RUNS: dict[str, tuple[GpSettings, Sequence[str], Callable[[], list[Atoms]], int, Callable[[], Atoms], float, float]] = {
    "lithium": (
        PLAIN,
        ("Li",),
        lambda: lithium(3),
        3,
        lambda: bulk("Li", "bcc", a=3.5, cubic=True) * (3, 3, 3),
        0.012,
        600.0,
    ),
    "four species": (PLAIN, SPECIES, conductor, 36, lambda: argyrodite(seed=0), 0.35, 300.0),
}


@pytest.mark.parametrize("case", RUNS)
def test_dynamics_becomes_uncertain_at_the_same_step(case: str) -> None:
    settings, species, make, atoms_each, begin, threshold, temperature_k = RUNS[case]
    images = make()
    theirs, alive = oracle(settings, species, images, atoms_each)
    gp = trained(settings, species, images, atoms_each).export("hash")
    expected, their_atoms = steps_until(theirs, begin(), threshold, temperature_k)
    found, our_atoms = steps_until(SparseGPCalculator(gp), begin(), threshold, temperature_k)
    assert len(alive) == 2
    assert 10 < found == expected
    assert np.abs(our_atoms.positions - their_atoms.positions).max() < 1e-8


def test_the_kernel_outlives_the_collector() -> None:
    atoms = mixture(7)
    process = trained(PLAIN, SPECIES, [mixture(seed) for seed in range(3)], 8)
    before, deviations = process.export("hash"), process.standard_deviations(atoms)
    gc.collect()
    # Memory of a kernel that was collected would be given to these.
    litter = [np.full(8, 1e3) for _ in range(10000)]
    process._gp.update_matrices_QR()
    assert len(litter) == 10000
    assert process.export("hash").content_hash == before.content_hash
    assert np.array_equal(process.standard_deviations(atoms), deviations)


def test_copies_and_pickles_are_refused() -> None:
    process = FlareGP(PLAIN, SPECIES, ENERGIES_EV)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="use export and rebuild"):
            attempt(process)


def frames_of(images: list[Atoms]) -> dict[str, Atoms]:
    return {f"frame {number}": atoms for number, atoms in enumerate(images)}


@pytest.mark.parametrize("fitted", [False, True])
def test_a_rebuilt_process_is_the_same(fitted: bool) -> None:
    *images, unseen = [mixture(seed) for seed in range(5)]
    process = trained(PLAIN, SPECIES, images, 8)
    if fitted:
        process.optimise()
    gp = process.export("hash")
    again = FlareGP.rebuild(gp, PLAIN, frames_of([*images, unseen]))
    copied = again.export("hash")
    assert (copied.frame_ids, copied.sparse_atoms) == (gp.frame_ids, gp.sparse_atoms)
    assert (copied.sigma, copied.noises) == (gp.sigma, gp.noises)
    assert fitted or copied.content_hash == gp.content_hash
    assert_equal(predicted(SparseGPCalculator(copied), unseen), predicted(SparseGPCalculator(gp), unseen))
    # It learns on as the first would have.
    for each in (process, again):
        each.learn(unseen, "unseen", [1, 2, 3])
    later = [predicted(SparseGPCalculator(each.export("hash")), mixture(9)) for each in (process, again)]
    assert_equal(*later)


def test_learning_makes_certain_and_mends_the_error() -> None:
    *images, unseen = lithium(4)
    process = trained(PLAIN, ("Li",), images, 3)
    before = process.export("hash")
    environments = np.flatnonzero(process.standard_deviations(unseen) > 0.01)
    assert len(environments)
    taken = process.learn(unseen, "unseen", environments)
    assert taken == tuple(environments.tolist())
    after = process.export("hash")
    assert after.n_sparse == before.n_sparse + len(taken)
    assert process.standard_deviations(unseen).max() <= 0.01
    errors = [
        np.abs(predicted(SparseGPCalculator(gp), unseen)["forces"] - unseen.get_forces()) for gp in (before, after)
    ]
    assert errors[1].mean() < errors[0].mean()


def test_the_fit_raises_the_likelihood_within_bounds_and_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    narrow = GpSettings(bounds=((1.9, 2.1), (0.4, 0.6), (0.05, 0.2), (0.004, 0.006)), optimise_iterations=10)
    process = trained(narrow, ("Li",), lithium(3), 20)
    capfd.readouterr()
    start = -np.inf
    for iterations in (1, 10):
        process = trained(narrow.model_copy(update={"optimise_iterations": iterations}), ("Li",), lithium(3), 20)
        reached = process.optimise()
        assert reached >= start
        start = reached
    values = (process.sigma, *process.noises)
    assert all(low <= value <= high for value, (low, high) in zip(values, narrow.bounds, strict=True))
    assert values != (2.0, 0.5, 0.1, 0.005)
    assert capfd.readouterr() == ("", "")
    # The weights are those of the values found, not of the last ones tried.
    fitted = dict(zip(HYPERPARAMETERS, values, strict=True))
    anew = trained(narrow.model_copy(update=fitted), ("Li",), lithium(3), 20)
    assert_equal(*(predicted(SparseGPCalculator(each.export("")), lithium(4)[3]) for each in (process, anew)))


HYPERPARAMETERS = ("sigma", "noise_energy_ev", "noise_force_ev_per_ang", "noise_stress_ev_per_ang3")


def test_a_fit_that_fails_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiida_seireact.programs import _flare_gp

    process = trained(PLAIN, SPECIES, [mixture(seed) for seed in range(2)], 8)
    before = process.export("hash")

    class Failed:
        x, fun, message = np.full(4, np.nan), np.nan, "ABNORMAL"

    monkeypatch.setattr(_flare_gp, "minimize", lambda function, start, **_: [function(1.1 * start), Failed()][1])
    with pytest.raises(ProgramFailed, match="failed .ABNORMAL.*leave optimise_at empty"):
        process.optimise()
    assert (process.sigma, process.noises) == (before.sigma, before.noises)
    assert_equal(
        predicted(SparseGPCalculator(process.export("hash")), mixture(5)),
        predicted(SparseGPCalculator(before), mixture(5)),
    )


def test_an_isolated_atom_is_unknown_and_not_learned() -> None:
    # FLARE's kernel is zero there, so its standard deviation is too.
    alone = mixture(0)
    alone.calc = None
    alone.center(vacuum=6.0)
    alone += Atoms("S", [alone.cell.array.sum(axis=0) * 0.999])
    alone = labelled(alone)
    process = trained(PLAIN, SPECIES, [mixture(seed) for seed in range(2)], 8)
    assert process.standard_deviations(alone)[-1] == 1.0
    assert process.learn(alone, "alone", [0, 16]) == (0,)
    gp = process.export("hash")
    assert process.standard_deviations(alone)[-1] == standard_deviations(gp, alone)[-1] == 1.0
    empty = labelled(Atoms("Li", cell=[20] * 3, pbc=True))
    with pytest.raises(InvalidInput, match="Frame one is the first, so atoms with neighbours must be learned"):
        FlareGP(PLAIN, SPECIES, ENERGIES_EV).learn(empty, "one", [0])


def test_before_anything_is_learned_all_is_unknown() -> None:
    process = FlareGP(PLAIN, SPECIES, ENERGIES_EV)
    assert process.standard_deviations(mixture(0)).tolist() == [1.0] * 16
    assert process.n_sparse == 0
    with pytest.raises(InvalidInput, match="has learned nothing"):
        process.export("hash")


def without(name: str) -> Atoms:
    atoms = mixture(1)
    del atoms.calc.results[name]
    return atoms


def with_value(name: str, value: Any) -> Atoms:
    atoms = mixture(1)
    atoms.calc.results[name] = value
    return atoms


def open_cell() -> Atoms:
    atoms = mixture(1)
    atoms.pbc = (True, True, False)
    return atoms


@pytest.mark.parametrize(
    ("make", "environments", "sentence"),
    [
        (lambda: without("stress"), [0], "Frame new has no stress: .* energy, forces and stress together"),
        (lambda: without("energy"), [0], "has no energy"),
        (lambda: mixture(1).copy(), [0], "has no energy and no forces and no stress"),
        (lambda: with_value("energy", np.nan), [0], "energy of frame new must be finite"),
        (lambda: with_value("forces", np.full((16, 3), np.inf)), [0], "forces of frame new must be finite"),
        (lambda: with_value("stress", np.zeros(9)), [0], "stress of frame new must be finite numbers of shape"),
        (open_cell, [0], "periodic along all three vectors"),
        (lambda: mixture(1), [0, 16], "has atoms 0 to 15"),
        (lambda: mixture(1), [-1], "has atoms 0 to 15"),
    ],
)
def test_frames_that_can_not_be_learned_are_refused(
    make: Callable[[], Atoms], environments: list[int], sentence: str
) -> None:
    process = trained(PLAIN, SPECIES, [mixture(0)], 8)
    before = process.export("hash")
    with pytest.raises(InvalidInput, match=sentence):
        process.learn(make(), "new", environments)
    assert process.export("hash").content_hash == before.content_hash


def test_a_frame_is_learned_once() -> None:
    process = trained(PLAIN, SPECIES, [mixture(0)], 8)
    with pytest.raises(InvalidInput, match="Frame frame 0 was learned before"):
        process.learn(mixture(0), "frame 0", [1])


def test_a_frame_of_another_species_is_refused() -> None:
    oxide = mixture(1)
    oxide.symbols[0] = "O"
    process = trained(PLAIN, SPECIES, [mixture(0)], 8)
    with pytest.raises(SparseGPError, match="holds O"):
        process.learn(labelled(oxide), "oxide", [0])


def test_the_process_can_not_be_rebuilt_of_other_frames_or_settings() -> None:
    images = [mixture(0), mixture(1)]
    gp: SparseGP = trained(PLAIN, SPECIES, images, 8).export("hash")
    with pytest.raises(InvalidInput, match="1 of the 2 frames .* frame 1 first: give all labels"):
        FlareGP.rebuild(gp, PLAIN, {"frame 0": images[0]})
    with pytest.raises(InvalidInput, match="made with n_max 6, the settings say 5"):
        FlareGP.rebuild(gp, GpSettings(n_max=5), frames_of(images))


@pytest.mark.parametrize("species", [(), ("Li", "Li"), ("Li", "Xy"), ("Li", "Na")])
def test_species_without_energies_are_refused(species: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="the energy of an atom of each"):
        FlareGP(PLAIN, species, ENERGIES_EV)


def test_the_same_environment_twice_is_noticed() -> None:
    process = trained(PLAIN, SPECIES, [mixture(0)], 8)
    process._gp.Kuu_jitter = 0.0
    process.learn(mixture(0), "the same again", drawn(mixture(0), 0, 8))
    with pytest.raises(ProgramFailed, match="all but the same"):
        process.export("hash")


def test_without_flare_the_sentence_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flare.bffs.sgp._C_flare", None)
    with pytest.raises(MissingPackage, match="make install"):
        FlareGP(PLAIN, SPECIES, ENERGIES_EV)
