"""Studies that nobody has run, in bulk: real types of nodes, real links, random numbers, some debris in each."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from benchmarks._bulk import Bulk, Files, array_node
from benchmarks.dataset import made_up

COMPOSITION = ("Cl", "Li", "P", "S")
PHASES = ("unknown", "Li", "Li2S", "Li3P", "LiCl", "Li6PS5Cl")
MD = {"ensemble": "npt", "temperature_k": 300.0, "pressure_gpa": 0.0, "velocity_seed": 1, "steps": 50_000}


@dataclass(frozen=True)
class Sizes:
    """How much is in one study.

    :param labels: jobs that label one frame of 228 atoms each.
    :param models: trainings, each tested on ``test_frames``.
    """

    labels: int = 100
    models: int = 10
    test_frames: int = 5
    legs: int = 10
    thermo_rows: int = 5_000
    frames: int = 500


class Study:
    """Adds one study to a bulk."""

    def __init__(self, bulk: Bulk, number: int, sizes: Sizes, computer: int) -> None:
        self.bulk, self.number, self.sizes, self.computer = bulk, number, sizes, computer
        self.rng = np.random.default_rng(number)
        self.frames = made_up(sizes.labels, seed=number)
        self.top = self.process("ReactWorkChain", None, "", named=f"run {number}")

    def build(self) -> int:
        """Add all of it; return the number of its top process."""
        self.label()
        dataset = self.dataset()
        for model in range(self.sizes.models):
            self.train(model, dataset)
        for condition in range(3):
            self.campaign(condition)
        self.analyse(self.produce())
        self.energies()
        for model in range(self.sizes.models):
            self.validate(model)
        return self.top

    # ------------------------------------------------------------------ processes and data
    def process(
        self,
        name: str,
        caller: int | None,
        label: str,
        plugin: str = "",
        *,
        status: int = 0,
        sealed: bool = True,
        named: str = "",
    ) -> int:
        """Add a process: a job where a plugin is given, a calcfunction where its name is in small letters."""
        from aiida import orm

        attributes: dict[str, Any] = {"process_label": name, "process_state": "finished", "exit_status": status}
        attributes |= {"version": {"core": "2.9.4", "plugin": "0.1.0"}, **({"sealed": True} if sealed else {})}
        kind: Any = orm.WorkChainNode
        if plugin:
            kind = orm.CalcJobNode
            attributes["resources"] = {"num_machines": 1, "num_mpiprocs_per_machine": 4}
        elif name.islower():
            kind = orm.CalcFunctionNode
        process_type = (
            f"aiida.calculations:{plugin}"
            if plugin
            else f"aiida.workflows:seireact.{name.removesuffix('WorkChain').lower()}"
        )
        computer = self.computer if plugin else None
        number = self.bulk.add(kind, attributes, process_type=process_type, label=named, computer=computer)
        if caller is not None:
            self.bulk.link(caller, number, "call_work" if kind is orm.WorkChainNode else "call_calc", label)
        if plugin:
            result = json.dumps({"program": plugin, "seconds": 3.6, "versions": {}, "outputs": {}}).encode()
            self.made(number, "retrieved", orm.FolderData, {}, {"result.json": result})
        return number

    def made(self, creator: int, label: str, kind: Any, attributes: dict[str, Any], files: Files | None = None) -> int:
        """Add an output."""
        number = self.bulk.add(kind, attributes, files)
        self.bulk.link(creator, number, "create", label)
        return number

    def told(self, creator: int, label: str, content: dict[str, Any]) -> int:
        """Add an output of numbers."""
        from aiida import orm

        return self.made(creator, label, orm.Dict, content)

    def held(self, creator: int, label: str, arrays: dict[str, Any]) -> int:
        """Add an output of arrays."""
        from aiida import orm

        return self.made(creator, label, orm.ArrayData, *array_node(arrays))

    def given(self, process: int, label: str, data: int, *, work: bool = False) -> None:
        """Link an input."""
        self.bulk.link(data, process, "input_work" if work else "input_calc", label)

    # ------------------------------------------------------------------ parts of a study
    def label(self) -> None:
        """Add labelling jobs of a frame each; one failed and one that a crash has left, both with frames."""
        from aiida_seireact.data.frames import FramesData

        chain = self.process("LabelWorkChain", self.top, "label")
        endings = [{}] * self.sizes.labels + [{"status": 410}, {"sealed": False}]
        for index, ending in enumerate(endings):
            batch = self.process("AseLabelWorkChain", chain, f"batch_{index:03d}")
            job = self.process("AseCalculation", batch, "iteration_01", "seireact.ase", **ending)  # type: ignore[arg-type]
            frame = self.frames.select([index % self.sizes.labels])
            columns = {item.name: getattr(frame, item.name) for item in fields(frame) if item.name != "settings_hash"}
            facts = {"n_frames": 1, "n_atoms": len(frame.numbers), "species": list(COMPOSITION), "is_labelled": True}
            facts |= {"settings_hash": "a" * 64, "content_hash": f"{self.number}-{index}", "config_types": {"md": 1}}
            there = {name: values for name, values in columns.items() if values is not None}
            self.made(job, "frames", FramesData, *array_node(there, **facts))
            self.told(job, "failures", {"failures": [], "reports": []})

    def dataset(self) -> int:
        """Add the dataset of all frames."""
        from aiida_seireact.data.dataset import DatasetData

        # Ten frames a group, and a group is never split.
        split = np.array(["train", "val", "test"])[np.arange(len(self.frames)) // 10 % 3]
        node = DatasetData([self.frames], [split])
        files = {
            name: node.base.repository.get_object_content(name, mode="rb")
            for name in node.base.repository.list_object_names()
        }
        make = self.process("make_dataset", self.top, "dataset")
        return self.made(make, "result", DatasetData, dict(node.base.attributes.all), files)

    def train(self, model: int, dataset: int) -> None:
        """Add a training with its predictions."""
        from aiida_seireact.data.potential import PotentialData

        chain = self.process("TrainWorkChain", self.top, f"train_{model}")
        job = self.process("AllegroCalculation", chain, "iteration_01", "seireact.allegro")
        self.given(job, "dataset", dataset)
        card = {"kind": "allegro-package", "species": list(COMPOSITION), "cutoff_ang": 6.0, "dataset_hash": "d" * 64}
        self.made(
            job,
            "potential",
            PotentialData,
            {**card, "model_hash": f"{self.number}-{model}".ljust(64, "0")},
            {"m": b"m"},
        )
        row = {"n_frames": self.sizes.test_frames, "energy_rmse_mev_per_atom": 5.0, "force_rmse_ev_per_ang": 0.1}
        self.told(job, "metrics", {"all": row, "by_type": {"md": row}, "n_epochs": 100, "n_frames": {"train": 80}})
        self.held(job, "curve", {"epoch": np.arange(100.0), "train_loss": self.rng.random(100)})
        tested = self.frames.select(range(self.sizes.test_frames))
        numbers: dict[str, Any] = {"config_type": tested.config_type, "n_atoms": tested.n_atoms}
        numbers["frame_ids"] = [f"{index:064d}" for index in range(len(tested))]
        for name in ("energy", "forces", "stress"):
            reference = np.asarray(getattr(tested, name))
            numbers[f"{name}_reference"] = reference
            numbers[f"{name}_predicted"] = reference + 0.1 * self.rng.normal(size=reference.shape)
        self.held(job, "predictions", numbers)

    def campaign(self, condition: int) -> None:
        """Add a condition of learning on the fly."""
        from aiida import orm

        settings = self.bulk.add(
            orm.Dict, {"temperature_k": 300.0 * (condition + 1), "timestep_fs": 2.0, "steps": 5_000}
        )
        chain = self.process("CampaignWorkChain", self.top, f"campaign_{condition}")
        self.given(chain, "parameters", settings, work=True)
        legs, canary = [], []
        for number in range(1, self.sizes.legs + 1):
            leg = self.process("LegWorkChain", chain, f"leg_{number:03d}")
            job = self.process("FlareCalculation", leg, "iteration_01", "seireact.flare")
            steps = np.arange((number - 1) * 200, number * 200)
            self.held(job, "trace", {"step": steps, "max_std": self.rng.random(200), "mean_std": self.rng.random(200)})
            atoms = {name: self.rng.random(100) for name in ("std", "force_error", "force_norm")}
            self.held(job, "canary", {"md_step": np.full(100, steps[-1]), **atoms})
            row = {
                "status": "unsure",
                "step": int(steps[-1]),
                "asked_step": int(steps[-1]),
                "n_asked": 1,
                "n_labelled": 1,
            }
            legs.append({**row, "given_up": False, "detour": 0, "n_sparse": 40 * number})
            canary.append({"leg": number, "md_step": int(steps[-1]), "n_atoms": 100, "force_rmse_ev_per_ang": 0.1})
            noted = self.told(job, "leg", row)
            note = self.process("note_leg", chain, f"note_{number:03d}")
            self.given(note, "leg", noted)
            self.told(note, "result", {"status": "running", "legs": legs[:], "canary": canary[:]})
        summary = self.process("summarise_campaign", chain, "summarise_campaign")
        self.told(summary, "result", {"status": "unsure", "stable": True, "legs": legs, "canary": canary})

    def produce(self) -> int:
        """Add a run of five segments."""
        from aiida import orm

        from aiida_seireact.data.trajectory import TrajectoryData

        chain = self.process("ProduceWorkChain", self.top, "produce")
        parameters = self.bulk.add(orm.Dict, {"md": MD})
        cell = self.cell()
        join = self.process("join_segments", chain, "join")
        self.given(join, "parameters", parameters)
        facts = {"n_atoms": 10_000 + self.number, "species": list(COMPOSITION), "timestep_fs": 2.0, "done": True}
        facts |= {"dump_every": 100, "stopped_by": None, "content_hash": str(self.number), "manifest": []}
        told = {
            "steps": 10_000,
            "ps": 20.0,
            "md_seconds": 3_600.0,
            "seconds": 3_700.0,
            "ranks": 4,
            "threads": 1,
            "gpus": 1,
        }
        n_rows = self.sizes.thermo_rows // 5
        for number in range(5):
            job = self.process("LammpsCalculation", chain, f"segment_{number:03d}", "seireact.lammps")
            self.given(job, "parameters", parameters)
            self.given(job, "structure", cell)
            steps = {
                "first_step": number * 10_000,
                "last_step": (number + 1) * 10_000,
                "steps": 10_000,
                "steps_asked": 10_000,
            }
            part = self.made(job, "trajectory", TrajectoryData, *array_node(self.thermo(n_rows), **facts, **steps))
            self.told(job, "performance", told)
            self.given(join, f"segment_{number:03d}", part)
        steps = {"first_step": 0, "last_step": 50_000, "steps": 50_000, "steps_asked": 50_000}
        whole = array_node(self.thermo(self.sizes.thermo_rows), **facts, **steps)
        return self.made(join, "trajectory", TrajectoryData, *whole)

    def cell(self) -> int:
        """Add the cell that the run begins with, and the recipe it was built by."""
        from aiida import orm

        from aiida_seireact.data.frames import FramesData

        recipe = self.bulk.add(orm.Dict, {"slabs": [{"phase": phase} for phase in ("Li", "LiF", "Li6PS5Cl", "LiF")]})
        build = self.process("build_cell", None, "")
        self.given(build, "recipe", recipe)
        return self.made(
            build, "frames", FramesData, {"n_frames": 1, "n_atoms": 10_000, "config_types": {"interface": 1}}
        )

    def thermo(self, n_rows: int) -> dict[str, Any]:
        """Return a table of random numbers."""
        names = ("temp", "pe", "press", "vol", "etotal")
        return {
            "thermo_step": np.arange(n_rows) * 10.0,
            **{f"thermo_{name}": self.rng.random(n_rows) for name in names},
        }

    def analyse(self, run: int) -> None:
        """Add labels of the run's environments, and what was found along it."""
        n, rng = self.sizes.frames, self.rng
        job = self.process("ClassifyCalculation", self.top, "classify", "seireact.classify")
        self.given(job, "trajectory", run)
        steps = np.arange(n) * 100
        course = {"steps": steps, "heights_ang": np.full(n, 80.0), "label_names": np.array(PHASES)}
        course |= {"counts": rng.integers(0, 500, (n, 6, 4)), "cores": rng.integers(0, 100, (n, 6))}
        course |= {"slabs": rng.integers(0, 9, (n, 6, 40)), "digests": np.zeros((n, 32), dtype=np.uint8)}
        self.held(job, "labels", course)
        self.told(job, "classification", {"of": "Li environments"})
        job = self.process("AnalyseCalculation", self.top, "analyse", "seireact.analyse")
        self.given(job, "trajectory", run)
        self.told(job, "analysis", {"n_p": 100, "diffusion": {}})
        z = np.arange(40) + 0.5
        found = {"steps": steps, "n_intact_ps4": rng.integers(0, 100, n), "thickness_lower_ang": rng.random(n)}
        found |= {"thickness_upper_ang": rng.random(n), "thickness_profile_ang": rng.random(n)}
        found |= {"thickness_profile_steps": steps, "composition_steps": steps[:: n // 10], "composition_z_ang": z}
        found |= {"composition_species": np.array(COMPOSITION)}
        found |= {"composition_atoms": rng.random((len(found["composition_steps"]), 4, 40))}
        found |= {"msd_species": np.array(COMPOSITION), "msd_lag_steps": steps, "msd_ang2": rng.random((4, n, 3))}
        found |= {
            "rdf_pairs": np.array(["Li-S"] * 10),
            "rdf_r_ang": np.arange(200) / 20,
            "rdf_g": rng.random((10, 200)),
        }
        found |= {"xrd_two_theta_deg": np.arange(900) / 10, "xrd_intensity": rng.random(900)}
        found |= {"clusters_steps": steps, "clusters_percolate": rng.random((n, 3)) > 0.5}
        found |= {f"clusters_{name}": rng.integers(0, 9, n) for name in ("n", "largest", "mean_size", "dimension")}
        self.held(job, "analysis_arrays", found)

    def validate(self, model: int) -> None:
        """Add the scorecard of a model: the energies of five phases at seven volumes each."""
        from aiida import orm
        from ase.build import bulk
        from ase.calculators.singlepoint import SinglePointCalculator

        from aiida_seireact.data.frames import FramesData
        from aiida_seireact.formats.frames import Frames
        from aiida_seireact.science.validation.eos import strained

        images = [
            atoms
            for phase in range(5)
            for atoms in strained(bulk("Li", "bcc", a=3.4 + 0.1 * phase + 0.01 * model), np.linspace(0.9, 1.1, 7))
        ]
        for atoms in images:
            forces = np.zeros((len(atoms), 3))
            atoms.calc = SinglePointCalculator(atoms, energy=float(self.rng.random()), forces=forces)
        frames = Frames.from_atoms(images, settings_hash="a" * 64)
        columns = {item.name: getattr(frames, item.name) for item in fields(frames) if item.name != "settings_hash"}
        cells = self.bulk.add(FramesData, *array_node({k: v for k, v in columns.items() if v is not None}))
        asked = [
            {"subject": f"phase {index // 7}", "structure_id": name} for index, name in enumerate(frames.structure_ids)
        ]
        told = {"scorecard": {"lines": {"volume": {"test": "eos"}}}, "asked": {"volume": asked}}
        chain = self.process("ValidateWorkChain", self.top, f"validate_{model}")
        job = self.process("ValidateCalculation", chain, "iteration_01", "seireact.validate")
        self.given(job, "labelled", cells)
        self.given(job, "parameters", self.bulk.add(orm.Dict, told))
        energy = np.asarray(frames.energy)
        predictions = {"part": np.array(["static"] * len(frames)), "n_atoms": frames.n_atoms}
        predictions |= {"frame_ids": np.array(frames.frame_ids), "energy_reference": energy}
        self.held(job, "predictions", {**predictions, "energy_predicted": energy + 0.1})

    def energies(self) -> None:
        """Add a verdict of twenty numbers, products and a gap."""
        line = {"name": "l", "test": "errors", "subject": "md", "quantity": "force RMSE", "value": 0.1, "passed": True}
        line |= {"unit": "eV/Å", "target": "at most 0.2", "message": "md"}
        judge = self.process("judge", self.top, "judge")
        told = {"model_hash": f"{self.number}-0".ljust(64, "0"), "scorecard": "s", "decision": "production"}
        self.told(judge, "result", {**told, "lines": [line] * 20})
        phase = {"name": "Li2S", "formula": "Li2S", "energy_ev_per_atom": -1.0, "above_hull_ev_per_atom": 0.0}
        predict = self.process("predict_products", self.top, "predict_products")
        kink = {"mixing_fraction": 0.5, "energy_ev_per_atom": -1.0, "energy_ev": -3.0, "reaction": "", "products": {}}
        self.told(predict, "result", {"phases": [phase] * 30, "kinks": [kink] * 5, "level": "x"})
        gaps = self.process("collect_pw_gaps", self.top, "collect_pw_gaps")
        self.told(gaps, "result", {"gaps": [{"name": "a", "gap_ev": 3.0}], "program": "pw.x", "method": "m"})
