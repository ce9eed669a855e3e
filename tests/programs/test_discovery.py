"""Discovery on cells whose truth is known: a mixed antifluorite that grows into lithium metal, its domains, a glass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.formats.discovery import DiscoveryCurves, DiscoveryError
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.discover import DiscoverSettings
from aiida_seireact.programs._discovery import discover
from tests.science.discovery import cells

N_FRAMES = 6
NAMES = ("unknown", "Li", "Li2S")
S, P, CL = 16, 15, 17


def nothing(line: str) -> None:
    """Progress that nobody reads."""


class World:
    """Lithium metal beside the mixed crystal; which Li is what is known, and changes with time."""

    def __init__(self, folder: Path, crystal: Atoms, *, seed: int = 3) -> None:
        self.folder = folder
        self.crystal = crystal
        metal = cells.lithium(7)
        height = crystal.cell[2, 2]
        metal.set_cell([*crystal.cell.lengths()[:2], 24.0], scale_atoms=True)
        metal.positions[:, 2] += height
        whole = crystal + metal
        whole.set_cell([*crystal.cell.lengths()[:2], height + 24.0])
        whole.pbc = True
        around = cells.anions_around(crystal)
        self.kinds, of = np.unique(around, axis=0, return_inverse=True)
        self.all_sulfur = (around == S).all(axis=1)
        n_metal = (metal.numbers == 3).sum()
        # Cluster 0 is metal, then one for each kind of shell.
        self.clusters = np.concatenate([of.ravel() + 1, np.zeros(n_metal, dtype=int)])
        self.labels = np.concatenate([np.where(self.all_sulfur, 2, 0), np.ones(n_metal, dtype=int)])
        self.cluster_labels = [1, *(2 if (kind == S).all() else 0 for kind in self.kinds)]
        frames = []
        for number in range(N_FRAMES):
            frames.append(cells.rattled(whole, seed + number, 0.12))
            frames[-1].info["md_step"] = 1000 * number
        Frames.from_atoms(frames).save(folder / "run.npz")
        self.stream = FrameStream([folder / "run.npz"])

    def labels_of(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        # In the first two frames nothing has reacted yet, as far as the labels say.
        if place < 2:
            return np.where(self.labels == 0, 1, self.labels), self.clusters
        return self.labels, self.clusters

    def discover(self, **settings: Any) -> dict[str, Any]:
        found = discover(
            self.stream, self.labels_of, names=NAMES, cluster_labels=self.cluster_labels, centre="Li",
            settings=DiscoverSettings(**{"n_permutations": 299, "electrolyte": (), **settings}),
            folder=self.folder, progress=nothing,
        )  # fmt: skip
        loaded: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
        return loaded


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("discovery"), cells.mixed(1))


@pytest.fixture(scope="module")
def found(world: World) -> dict[str, Any]:
    return world.discover()


def group_of(found: dict[str, Any], world: World, kind: list[int]) -> dict[str, Any]:
    cluster = 1 + next(n for n, item in enumerate(world.kinds) if item.tolist() == sorted(kind))
    (group,) = [group for group in found["groups"] if group["cluster"] == cluster]
    return group


def test_each_unknown_cluster_has_the_composition_of_its_shell_and_a_name_with_its_reason(
    world: World, found: dict[str, Any]
) -> None:
    group = group_of(found, world, [S, S, S, CL])
    amounts = group["composition"]
    # Li of the metal shares anions at the two boundaries, so there is a little more Li for each.
    assert amounts["Cl"] / (amounts["S"] + amounts["Cl"]) == pytest.approx(0.25, abs=0.02)
    assert amounts["Li"] / (amounts["S"] + amounts["Cl"]) == pytest.approx(2.0, abs=0.15)
    assert group["name"] == f"{group['formula']} (antifluorite-like)"
    assert "distances most like Li2S" in group["reason"]
    # At the two boundaries a Li has two of its four anions.
    assert group["anion_shells"]["ClS3"] > 0.8
    assert max(group["anion_shells"], key=group["anion_shells"].get) == "ClS3"
    assert group["coordination"]["S"]["mean"] == pytest.approx(3.0, abs=0.3)
    assert group["tetrahedrality"] > 0.9
    assert group["crystallinity"]["value"] > 0.5
    assert group["nearest_by_distances"][0]["name"] == "Li2S"


def test_shares_say_of_what_they_are(world: World, found: dict[str, Any]) -> None:
    group = group_of(found, world, [S, S, S, CL])
    n = int((world.clusters == group["cluster"]).sum())
    assert group["n_environments"] == n * (N_FRAMES - 2)
    assert group["share_of_all"] == pytest.approx(n / len(world.clusters))
    assert group["share_of_interphase"] == pytest.approx(n / (world.labels != 1).sum())
    (metal,) = [group for group in found["groups"] if group["id"] == "Li"]
    assert metal["share_of_interphase"] is None
    assert found["interphase"] == "all Li but those labelled Li"


def test_appearance_in_time_and_place_are_those_of_the_world(world: World, found: dict[str, Any]) -> None:
    group = group_of(found, world, [S, S, S, CL])
    assert group["first_step"] == 2000
    assert group["half_step"] == 2000
    curves = DiscoveryCurves.load(world.folder / "discovery.npz")
    row = found["groups"].index(group)
    assert curves.in_time[row].tolist() == [0, 0] + [int((world.clusters == group["cluster"]).sum())] * 4
    assert curves.n_centres.tolist() == [len(world.clusters)] * N_FRAMES
    height = world.crystal.cell[2, 2]
    # Rattled atoms of the lowest layer come out at the top of the cell.
    inside = (curves.z_edges_ang[1:] <= height + 2.5) | (curves.z_edges_ang[:-1] > height + 22.0)
    assert curves.along_z[row][~inside].sum() == 0
    assert curves.along_z.sum() == pytest.approx(len(world.clusters))
    assert np.isfinite(curves.rdf[row]).all()
    assert np.nanmax(curves.xrd[row]) == 1.0


def test_the_region_is_the_papers_phase_and_its_sulfur_is_no_domain(world: World, found: dict[str, Any]) -> None:
    (region,) = found["regions"]
    assert region["structure_type"] == "antifluorite"
    assert region["name"].endswith("(antifluorite-like)")
    assert set(region["unknown_clusters"]) < {group["cluster"] for group in found["groups"]}
    total = {symbol: region["composition"][symbol] for symbol in ("S", "P", "Cl")}
    assert total["S"] / sum(total.values()) == pytest.approx(0.72, abs=0.03)
    sulfur = region["sulfur"]
    assert sulfur["counted"] == pytest.approx(world.all_sulfur.mean(), abs=0.03)
    assert sulfur["expected"] == pytest.approx(sulfur["share"] ** 4)
    assert sulfur["p_value"] > 0.01
    assert region["nearest_by_diffraction"][0]["name"] == "Li2S"


def test_domains_are_told_apart_from_a_random_mixture(tmp_path: Path) -> None:
    (region,) = World(tmp_path, cells.mixed(1, sorted_along_z=True)).discover(n_frames=1)["regions"]
    assert region["sulfur"]["p_value"] < 0.01
    assert region["sulfur"]["counted"] > region["sulfur"]["expected"] + 0.1


def test_metal_is_metal(found: dict[str, Any]) -> None:
    (metal,) = [group for group in found["groups"] if group["id"] == "Li"]
    assert next(iter(metal["anion_shells"])) == "-"
    assert metal["nearest_by_distances"][0]["name"] == "Li"


def test_examples_are_centres_in_their_surroundings(world: World, found: dict[str, Any]) -> None:
    examples = list(Frames.load(world.folder / "examples.npz").iter_atoms())
    group = group_of(found, world, [S, S, S, CL])
    assert group["examples"]
    for number in group["examples"]:
        atoms = examples[number]
        assert atoms.info["config_type"] == group["id"]
        assert atoms.symbols[0] == "Li"
        assert not atoms.pbc.any()
        distances = atoms.get_distances(0, range(1, len(atoms)))
        assert distances.max() <= 5.0
    # The first is the commonest.
    numbers = examples[group["examples"][0]].numbers[1:]
    assert sorted(numbers[numbers != 3][:4].tolist()) == [S, S, S, CL]


def test_small_groups_are_counted_and_not_named(world: World) -> None:
    found = world.discover(fewest=10**6, n_frames=1)
    assert all(group["name"] is None for group in found["groups"])
    assert "fewer than 1000000" in found["groups"][0]["reason"]
    assert sum(group["n_environments"] for group in found["groups"]) == len(world.clusters) * N_FRAMES
    assert found["regions"] == []


def test_a_cluster_that_lived_shortly_is_looked_at_in_its_own_frame(world: World) -> None:
    cluster = 1 + next(n for n, item in enumerate(world.kinds) if item.tolist() == [S, S, S, CL])

    def short(place: int) -> tuple[np.ndarray, np.ndarray]:
        if place == 3:
            return world.labels, world.clusters
        return np.where(world.clusters == cluster, 2, world.labels), world.clusters

    found = discover(
        world.stream, short, names=NAMES, cluster_labels=world.cluster_labels, centre="Li",
        settings=DiscoverSettings(n_frames=1), folder=world.folder, progress=nothing,
    )  # fmt: skip
    assert found["steps_looked_at"] == [3000, 5000]
    assert group_of(found, world, [S, S, S, CL])["name"].endswith("(antifluorite-like)")


def test_where_all_clusters_have_names_domains_and_what_lies_beyond_the_gates_are_still_told(world: World) -> None:
    names = (*NAMES, "mixed")
    all_named = np.array([1, *(2 if (kind == S).all() else 3 for kind in world.kinds)])
    labels = all_named[world.clusters]
    mixed = np.flatnonzero(labels == 3)
    gated = labels.copy()
    gated[mixed[::3]] = 0

    def told(labels: np.ndarray) -> dict[str, Any]:
        return discover(
            world.stream, lambda place: (labels, world.clusters), names=names, cluster_labels=all_named.tolist(),
            centre="Li", settings=DiscoverSettings(n_frames=1, n_permutations=299), folder=world.folder,
            progress=nothing,
        )  # fmt: skip

    (region,) = told(labels)["regions"]
    assert region["groups"] == ["Li2S", "mixed"]
    assert region["unknown_share"] == 0.0
    assert region["sulfur"]["expected"] == pytest.approx(region["sulfur"]["share"] ** 4)
    assert region["sulfur"]["p_value"] > 0.01
    found = told(gated)
    (beyond,) = [group for group in found["groups"] if group["id"] == "beyond mixed"]
    assert beyond["n_environments"] == len(mixed[::3]) * N_FRAMES
    assert beyond["name"].endswith("(antifluorite-like)")
    assert found["regions"][0]["groups"] == ["Li2S", "mixed", "beyond mixed"]
    assert found["regions"][0]["sulfur"] == region["sulfur"]


@pytest.mark.parametrize("labels", [lambda n: np.zeros(n, int)])
def test_a_glass_is_called_amorphous(tmp_path: Path, labels: Callable[[int], np.ndarray]) -> None:
    atoms = cells.glass(2)
    n = (atoms.numbers == 3).sum()
    Frames.from_atoms([atoms]).save(tmp_path / "run.npz")
    found = discover(
        FrameStream([tmp_path / "run.npz"]), lambda place: (labels(n), labels(n)), names=("unknown",),
        cluster_labels=[0], centre="Li", settings=DiscoverSettings(), folder=tmp_path, progress=nothing,
    )  # fmt: skip
    (group,) = found["groups"]
    assert group["name"].endswith("(amorphous)")
    assert group["share_of_interphase"] == 1.0
    assert "no reference of Li or Li6PS5Cl was given" in found["interphase"]


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match="There is no discovery file"):
        DiscoveryCurves.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", steps=[1])
    with pytest.raises(DiscoveryError, match="lacks in_time"):
        DiscoveryCurves.load(tmp_path / "other.npz")


@pytest.mark.parametrize("wrong", [(70.0, 15.0), (-5.0, 70.0), (15.0, 200.0)])
def test_a_range_of_angles_that_is_none_is_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="two_theta_deg ascends"):
        DiscoverSettings(two_theta_deg=wrong)
