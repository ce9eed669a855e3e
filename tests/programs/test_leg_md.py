"""MD of a leg on a crystal of springs: it goes on bit for bit, stops where it should, and hands out what is due."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.programs._leg_md import CellState, LegDynamics, LegRun, displaced, run_leg

SPRING, BULK = 2.0, 0.5  # eV/Å² and eV/Å³


class Springs(Calculator):
    """Atoms bound to their sites, which move with the cell, and a bulk modulus; sure or not as told.

    :param stds: evaluation number, from 0 -> largest uncertainty; that of atom 2, the others' are half of it.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, crystal: Atoms, stds: Callable[[int], float] = lambda count: 0.01) -> None:
        super().__init__()
        self.sites = crystal.get_scaled_positions(wrap=False)
        self.volume = crystal.get_volume()
        self.stds = stds
        self.count = 0
        self.push = 0.0
        self.alone = -1

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        away = self.atoms.positions - self.sites @ self.atoms.cell.array
        strain = self.atoms.get_volume() / self.volume - 1
        stds = np.full(len(away), self.stds(self.count) / 2)
        stds[2] *= 2
        stress = SPRING * away.T @ away / self.atoms.get_volume() + BULK * strain * np.eye(3)
        self.results = {
            "energy": SPRING / 2 * (away**2).sum() + BULK / 2 * strain**2 * self.volume,
            "forces": -SPRING * away + self.push,
            "stress": stress.flat[[0, 4, 8, 5, 2, 1]],
            "stds": stds,
            "neighbours": np.where(np.arange(len(away)) == self.alone, 0, 12),
        }
        self.count += 1


def crystal() -> Atoms:
    return bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 1, 1)


def settings(**changes: Any) -> LegSettings:
    base = {"temperature_k": 300.0, "steps": 40, "label_every": 0, "seed": 4}
    return LegSettings.model_validate({**base, **changes})


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def begin(calculator: Springs, leg_settings: LegSettings, **options: Any) -> tuple[Atoms, LegRun]:
    rng = generator()
    atoms = displaced(crystal(), leg_settings, rng)
    return atoms, run_leg(atoms, calculator, leg_settings, rng, reference_volume_ang3=crystal().get_volume(), **options)


class TestExactness:
    @pytest.mark.parametrize("ensemble", ["nvt", "npt"])
    def test_three_legs_are_one(self, ensemble: str) -> None:
        whole, run = begin(Springs(crystal()), settings(ensemble=ensemble))
        rng = generator()
        atoms = displaced(crystal(), settings(), rng)
        cell, step, energies = None, 0, []
        for steps in (13, 14, 40):
            # A fresh calculator and fresh atoms, as in another process.
            atoms, momenta = (
                Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc),
                atoms.get_momenta(),
            )
            atoms.set_momenta(momenta)
            part = run_leg(
                atoms,
                Springs(crystal()),
                settings(ensemble=ensemble, steps=steps),
                rng,
                reference_volume_ang3=crystal().get_volume(),
                first_step=step,
                resumed=step > 0,
                cell=cell,
                same_forces=True,
            )
            assert part.trace["step"].tolist() == list(range(step, steps + 1))
            energies += part.trace["potential_energy_ev"].tolist()[step > 0 :]
            cell, step = part.cell, part.step
        assert cell is not None
        assert atoms.positions.tobytes() == whole.positions.tobytes()
        assert atoms.get_momenta().tobytes() == whole.get_momenta().tobytes()
        assert atoms.cell.array.tobytes() == whole.cell.array.tobytes()
        assert cell.momentum.tobytes() == run.cell.momentum.tobytes()
        assert energies == run.trace["potential_energy_ev"].tolist()

    @pytest.mark.parametrize("ensemble", ["nvt", "npt"])
    def test_a_run_is_its_repetition(self, ensemble: str) -> None:
        # With the exponential of scipy 1.17.1 one run in thirty was not.
        ends = set()
        for _ in range(100):
            atoms, _ = begin(Springs(crystal()), settings(ensemble=ensemble))
            ends.add((atoms.positions.tobytes(), atoms.get_momenta().tobytes(), atoms.cell.array.tobytes()))
        assert len(ends) == 1

    def test_a_cell_that_stretches_along_x_turns_no_velocity(self) -> None:
        class Calm(np.random.Generator):
            def normal(self, *_: Any, size: Any = None, **__: Any) -> Any:
                return np.zeros(size)

        atoms = crystal()
        atoms.calc = Springs(crystal())
        velocities = np.zeros((len(atoms), 3))
        velocities[:, 0] = 0.01 * (-1.0) ** np.arange(len(atoms))
        atoms.set_velocities(velocities)
        dynamics = LegDynamics(atoms, settings(ensemble="npt"), Calm(np.random.PCG64(0)))
        dynamics.restore(CellState(np.diag([50.0, 0.0, 0.0]), np.zeros((3, 3))), same_forces=True)
        dynamics.step()
        found = atoms.get_velocities()
        assert np.abs(found[:, 0]).min() > 0.001
        assert np.abs(found[:, 1:]).max() < 1e-12

    @pytest.mark.parametrize("ensemble", ["nvt", "npt"])
    def test_one_evaluation_a_step(self, ensemble: str) -> None:
        calculator = Springs(crystal())
        begin(calculator, settings(ensemble=ensemble))
        assert calculator.count == 41


class TestDynamics:
    def test_it_starts_at_rest_and_displaced_as_asked(self) -> None:
        leg_settings = settings(temperature_k=600, jitter_ang=0.05)
        big = crystal() * (5, 10, 10)
        atoms = displaced(big, leg_settings, generator())
        assert np.abs(atoms.get_momenta().sum(axis=0)).max() < 1e-10
        # 4000 atoms: standard errors of 0.9 %.
        assert atoms.get_temperature() == pytest.approx(600, rel=0.04)
        assert (atoms.positions - big.positions).std() == pytest.approx(0.05, rel=0.04)

    def test_the_thermostat_holds_the_temperature(self) -> None:
        _, run = begin(Springs(crystal()), settings(temperature_k=500, steps=800))
        # Equipartition: 24 springs of k T / 2; over 30 correlation times the means stay within about 7 %.
        assert run.trace["temperature_k"][200:].mean() == pytest.approx(500, rel=0.2)
        mean_energy = run.trace["potential_energy_ev"][200:].mean()
        assert mean_energy == pytest.approx(12 * units.kB * 500, rel=0.2)

    def test_pressure_compresses_each_axis_and_keeps_the_angles(self) -> None:
        atoms, run = begin(Springs(crystal()), settings(ensemble="npt", pressure_gpa=8.0, steps=600, tau_p_fs=100.0))
        # 8 GPa = 0.05 eV/Å³: a tenth of the modulus.
        mean = run.trace["volume_ang3"][200:].mean() / crystal().get_volume()
        assert mean == pytest.approx(0.9, abs=0.02)
        assert atoms.cell.angles() == pytest.approx([90, 90, 90], abs=1e-12)
        ratios = atoms.cell.lengths() / crystal().cell.lengths()
        assert ratios.max() - ratios.min() > 1e-4

    def test_constant_volume_is_constant(self) -> None:
        _, run = begin(Springs(crystal()), settings())
        assert np.ptp(run.trace["volume_ang3"]) == 0


class TestEnd:
    def test_it_stops_at_the_first_step_above_the_threshold(self) -> None:
        calculator = Springs(crystal(), lambda count: 0.2 if count >= 7 else 0.15)
        atoms, run = begin(calculator, settings())
        assert (run.status, run.first_step, run.step) == ("unsure", 0, 7)
        assert run.message == "Unsure at MD step 7: the uncertainty of atom 2 (Cu) is 0.200, above 0.15."
        assert [snapshot.step for snapshot in run.asked] == [7]
        assert run.asked[-1].atoms.positions.tolist() == atoms.positions.tolist()
        assert run.trace["max_std"].tolist() == [0.15] * 7 + [0.2]
        assert run.trace["mean_std"][-1] == pytest.approx(0.1 * 9 / 8)
        assert run.trace["max_std_atom"].tolist() == [2] * 8

    def test_an_uncertain_start_is_a_call(self) -> None:
        _, run = begin(Springs(crystal(), lambda count: 0.5), settings())
        assert (run.status, run.step, [snapshot.step for snapshot in run.asked]) == ("unsure", 0, [0])

    def test_it_goes_on_from_what_was_just_learned_and_asks_again_one_step_on(self) -> None:
        _, run = begin(Springs(crystal(), lambda count: 0.5), settings(), just_learned=True)
        assert run.went_on_unsure
        assert (run.status, run.step, [snapshot.step for snapshot in run.asked]) == ("unsure", 1, [1])
        _, run = begin(Springs(crystal()), settings(), just_learned=True)
        assert not run.went_on_unsure

    def test_done(self) -> None:
        _, run = begin(Springs(crystal()), settings())
        assert (run.status, run.step, run.message) == ("done", 40, "All 40 MD steps are done.")
        assert not run.asked
        assert {name: values.shape for name, values in run.trace.items()} == dict.fromkeys(run.trace, (41,))

    def test_nothing_left_to_do(self) -> None:
        _, run = begin(Springs(crystal()), settings(), first_step=40, resumed=True)
        assert (run.status, run.step, run.asked, run.visited) == ("done", 40, [], [])


class TestPause:
    def test_after_so_many_steps_of_a_leg(self) -> None:
        _, run = begin(Springs(crystal()), settings(leg_steps=15), first_step=10, resumed=True)
        assert (run.status, run.step) == ("paused", 25)
        assert run.message == "Paused at MD step 25: 15 steps are made, as many as a leg makes."
        assert not run.asked

    def test_after_its_seconds_but_never_before_a_step(self) -> None:
        _, run = begin(Springs(crystal()), settings(seconds_max=1e-9))
        assert (run.status, run.step) == ("paused", 1)
        assert run.message == "Paused at MD step 1: 0 s are over, of the 1e-09 s of a leg."

    def test_seconds_count_from_the_beginning_of_the_job(self) -> None:
        hour = settings(seconds_max=3600.0)
        assert begin(Springs(crystal()), hour)[1].status == "done"
        _, run = begin(Springs(crystal()), hour, began=time.monotonic() - 3600)
        assert (run.status, run.step) == ("paused", 1)

    def test_unsure_stopped_and_done_come_first(self) -> None:
        calculator = Springs(crystal(), lambda count: 0.2 if count == 7 else 0.1)
        assert begin(calculator, settings(leg_steps=7))[1].status == "unsure"
        assert begin(Springs(crystal()), settings(leg_steps=40))[1].status == "done"
        hot = settings(leg_steps=1, guard={"temperature_max_k": 20.0})
        assert begin(Springs(crystal()), hot)[1].status == "stopped"

    def test_frames_are_those_of_a_leg_without_pause(self) -> None:
        wanted = settings(label_every=4, gap_steps=10, visit_every=3, steps=30)
        _, whole = begin(Springs(crystal()), wanted)
        asked, visited, step = [], [], 0
        while step < 30:
            _, part = begin(
                Springs(crystal()),
                wanted.model_copy(update={"leg_steps": 7}),
                first_step=step,
                learned_step=0,
                resumed=step > 0,
            )
            asked += [snapshot.step for snapshot in part.asked]
            visited += [snapshot.step for snapshot in part.visited]
            step = part.step
        assert asked == [snapshot.step for snapshot in whole.asked] == [12, 16, 20, 24, 28]
        assert visited == [snapshot.step for snapshot in whole.visited]


class TestGuard:
    def stopped(self, calculator: Springs, **changes: Any) -> str:
        _, run = begin(calculator, settings(label_every=1, gap_steps=0, visit_every=1, **changes))
        assert run.status == "stopped"
        assert run.step not in [snapshot.step for snapshot in [*run.asked, *run.visited]]
        assert run.message.startswith(f"Stopped at MD step {run.step}: ")
        return run.message

    def test_temperature(self) -> None:
        message = self.stopped(Springs(crystal()), guard={"temperature_max_k": 20.0})
        assert message.endswith("K, allowed up to 20 K.")

    def test_volume(self) -> None:
        message = self.stopped(
            Springs(crystal()), ensemble="npt", pressure_gpa=40.0, tau_p_fs=100.0, guard={"volume_ratio_min": 0.9}
        )
        assert "volume: 0." in message
        assert message.endswith("of that at the start, allowed 0.9 to 1.4.")

    def test_distance(self) -> None:
        message = self.stopped(Springs(crystal()), guard={"distance_min_ang": 2.6})
        assert "distance: atoms " in message
        assert message.endswith("Å apart, allowed from 2.6 Å.")

    def test_no_numbers_any_more(self) -> None:
        calculator = Springs(crystal())
        calculator.push = np.nan
        assert "nan: energy, forces or velocities are not numbers any more" in self.stopped(calculator)

    def test_an_atom_without_neighbours(self) -> None:
        calculator = Springs(crystal(), lambda count: 1.0)
        calculator.alone = 3
        assert "alone: atom 3 (Cu) has no neighbour within the reach" in self.stopped(calculator)

    def test_a_broken_frame_is_not_sent_to_label_however_unsure(self) -> None:
        calculator = Springs(crystal(), lambda count: 0.9)
        assert "distance: " in self.stopped(calculator, guard={"distance_min_ang": 2.6})


class TestFrames:
    def test_every_kth_frame_outside_the_gap_and_the_uncertain_one_last(self) -> None:
        calculator = Springs(crystal(), lambda count: 0.2 if count == 33 else 0.1)
        _, run = begin(calculator, settings(label_every=10, gap_steps=12, visit_every=4))
        assert [snapshot.step for snapshot in run.asked] == [20, 30, 33]
        assert [snapshot.step for snapshot in run.visited] == [0, 4, 8, 12, 16, 20, 24, 28, 32]

    def test_an_uncertain_frame_that_was_due_is_handed_out_once(self) -> None:
        calculator = Springs(crystal(), lambda count: 0.2 if count == 30 else 0.1)
        _, run = begin(calculator, settings(label_every=10, gap_steps=0))
        assert [snapshot.step for snapshot in run.asked] == [0, 10, 20, 30]

    def test_a_leg_does_not_give_the_last_frame_of_the_leg_before(self) -> None:
        _, run = begin(
            Springs(crystal()), settings(label_every=10, gap_steps=0, visit_every=10), first_step=20, resumed=True
        )
        assert [snapshot.step for snapshot in run.asked] == [30, 40]
        assert [snapshot.step for snapshot in run.visited] == [30, 40]

    def test_frames_are_bare(self) -> None:
        _, run = begin(Springs(crystal()), settings())
        assert run.visited[0].atoms.calc is None
        assert "momenta" not in run.visited[0].atoms.arrays
