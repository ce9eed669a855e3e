"""From a plan to frames: every entry drawn with a seed of its own, each frame with its class and phase."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.formula import Formula
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs import sample as entries
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.sample import Entry, MeltQuench, OfCell, Packed, SamplePlan
from aiida_seireact.formats.labellers import why_no_atoms
from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.sampling import MIN_DISTANCE_ANG, Draw, distorted, sample_frames
from aiida_seireact.science.sampling.dimers import dimer, dimer_distances, pairs_of
from aiida_seireact.science.sampling.kinds import OF_STUDY
from aiida_seireact.science.sampling.packing import counts_of, density_of, random_packing
from aiida_seireact.science.sampling.surfaces import slabs, with_vacuum
from aiida_seireact.science.structures import LATTICE_DEFAULTS, crystal, isolated_atom, library, rounded
from aiida_seireact.science.structures.defects import with_interstitials, with_vacancies

FrameMaker = Callable[[int, np.random.Generator], Atoms]
INTERFACE = "interface"


@dataclass(frozen=True)
class Drawn:
    """A frame and what the plan says of it; the temperature is that of its MD in K, NaN for none."""

    atoms: Atoms
    frame_class: str
    phase: str
    kind: str
    temperature_k: float = float("nan")


@dataclass(frozen=True)
class Pool:
    """All frames of a plan, in its order; isolated atoms apart, since they are labelled apart.

    :param left_out: a sentence for each entry that is not there, and why.
    """

    frames: list[Drawn] = field(default_factory=list)
    atoms: list[Atoms] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cells:
    """Cells by name: those that are given, and the crystals that are known.

    :param ids: frame ids of those given.
    """

    given: Mapping[str, Atoms] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, frames: Frames | None) -> Cells:
        """Return the cells of a shard by their config types.

        :raises InvalidInput: two of one name.
        """
        if frames is None:
            return cls()
        names = frames.config_type.tolist()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidInput(
                f"Two cells are named '{twice[0]}': the config type of a cell is its name, give another."
            )
        images = [Atoms(a.numbers, positions=a.positions, cell=a.cell, pbc=True) for a in frames.iter_atoms()]
        return cls(dict(zip(names, images, strict=True)), dict(zip(names, frames.frame_ids, strict=True)))

    def get(self, name: str) -> Atoms:
        """Return a cell.

        :raises InvalidInput: neither given nor known.
        """
        if name in self.given:
            return self.given[name]
        if name in LATTICE_DEFAULTS:
            return crystal(name)
        if name not in library.names():
            given = f"given are {', '.join(self.given)}" if self.given else "none is given"
            raise InvalidInput(
                f"There is no cell '{name}': {given}, and the library has {', '.join(library.names())}. Give it as a "
                f"frame whose config type is {name}."
            )
        if not library.entry(name).ordered:
            raise InvalidInput(
                f"{name} of the library has sites that are filled at random: give a cell in which they are decided, as "
                f"a frame whose config type is {name}."
            )
        structure = library.structure(name)
        structure.remove_oxidation_states()
        return rounded(AseAtomsAdaptor.get_atoms(structure))


def draw_pool(
    plan: SamplePlan,
    cells: Cells,
    *,
    made: Mapping[str, list[Frames]] | None = None,
    labeller: str | None = None,
) -> Pool:
    """Return the frames of a plan: first those of its study, then entry after entry.

    :param made: by name of a melt_quench entry the frames of its stages.
    :raises InvalidInput: a cell that is not there, an entry that can't be drawn, frames of a melt that no entry asks.
    """
    made = made or {}
    foreign = sorted(set(made) - {entry.config_type for entry in plan.melts})
    if foreign:
        raise InvalidInput(f"There are frames of a melt '{foreign[0]}', but the plan has no such melt_quench entry.")
    pool = Pool()
    if plan.study is not None:
        pool.frames.extend(_of_study(plan, cells))
    no_atoms = why_no_atoms(labeller)
    species = species_of(plan, cells)
    for entry in plan.classes:
        try:
            if isinstance(entry, entries.Dimer | entries.IsolatedAtom) and no_atoms:
                what = "Dimers" if isinstance(entry, entries.Dimer) else "Isolated atoms"
                pool.left_out.append(f"{what} are left out: {no_atoms}.")
            elif isinstance(entry, entries.IsolatedAtom):
                pool.atoms.extend(isolated_atom(symbol) for symbol in sorted(entry.species or species))
            elif isinstance(entry, entries.Dimer):
                pool.frames.extend(_dimers(entry, plan.seed, species))
            elif isinstance(entry, MeltQuench):
                if entry.config_type in made:
                    pool.frames.extend(_of_melt(entry, made[entry.config_type]))
                else:
                    pool.left_out.append(
                        f"{entry.config_type} is left out: melting needs MD of a labeller, which SampleWorkChain runs; "
                        "kind amorphous packs at random without one."
                    )
            else:
                pool.frames.extend(_of_entry(entry, plan.seed, cells))
        except ValueError as error:
            raise InvalidInput(f"Entry '{entry.config_type}': {error}") from error
    return pool


def species_of(plan: SamplePlan, cells: Cells) -> list[str]:
    """Return the elements a plan is about: those it names, else those of its cells and compositions."""
    if plan.species is not None:
        return sorted(plan.species)
    found = {"Li", "P", "S", "Cl"} if plan.study is not None else set()
    for name in plan.phases:
        found |= set(cells.get(name).get_chemical_symbols())
    for entry in plan.classes:
        if isinstance(entry, Packed) and entry.composition is not None:
            found |= set(Formula(entry.composition).count())
        if isinstance(entry, entries.Interstitial):
            found.add(entry.species)
        if isinstance(entry, entries.Dimer) and entry.pairs and not plan.phases:
            found |= {symbol for pair in entry.pairs for symbol in pair.split("-") if symbol in atomic_numbers}
    return sorted(found)


def seed_of(entry: Entry, seed: int) -> np.random.SeedSequence:
    """Return the seed of an entry: of its name, so that another entry in the plan leaves it alone."""
    name = int.from_bytes(hashlib.sha256(entry.config_type.encode()).digest()[:8], "little")
    return np.random.SeedSequence([seed, name])


def draw_melt_starts(entry: MeltQuench, seed: int, cells: Cells) -> list[Atoms]:
    """Return the random packings that the runs of an entry start from.

    :raises InvalidInput: they can't be packed.
    """
    try:
        return [drawn.atoms for drawn in _of_entry(entry, seed, cells)]
    except ValueError as error:
        raise InvalidInput(f"Entry '{entry.config_type}': {error}") from error


# ---------------------------------------------------------------- parts of a pool
def _of_study(plan: SamplePlan, cells: Cells) -> list[Drawn]:
    of_interface = [name for name in OF_STUDY if name.startswith(INTERFACE)]
    starts = {name: cells.given[INTERFACE] for name in of_interface if INTERFACE in cells.given}
    drawn = []
    for atoms in sample_frames(plan.study_plan(), cells=starts):
        config_type = atoms.info["config_type"]
        if config_type in starts:
            atoms.info["parent_id"] = cells.ids.get(INTERFACE, "")
        drawn.append(Drawn(atoms, *OF_STUDY[config_type]))
    return drawn


def _of_entry(entry: Entry, seed: int, cells: Cells) -> list[Drawn]:
    make = _maker(entry, cells)
    drawn = []
    for index, frame_seed in enumerate(seed_of(entry, seed).spawn(entry.count)):
        atoms = make(index, np.random.Generator(np.random.PCG64(frame_seed)))
        _require_apart(atoms, index)
        atoms.info.update(
            config_type=entry.config_type,
            group=f"{entry.config_type}-s{seed}-{index:04d}",
            parent_id=cells.ids.get(getattr(entry, "of", None) or "", "") if isinstance(entry, OfCell) else "",
        )
        drawn.append(Drawn(atoms, entry.frame_class, entry.phase, entry.kind))
    return drawn


def _maker(entry: Entry, cells: Cells) -> FrameMaker:
    """Return what makes frame ``index`` of an entry."""
    if isinstance(entry, Packed):
        return _packer(entry, cells)
    if isinstance(entry, entries.Surface):
        return _slab_maker(entry, cells.get(entry.of))
    assert isinstance(entry, OfCell)
    cell = repeated(cells.get(entry.of), entry.repeat, entry.max_atoms)

    def make(index: int, rng: np.random.Generator) -> Atoms:
        atoms, rattle = cell, entry.rattle_ang
        if isinstance(entry, entries.Vacancy):
            atoms = with_vacancies(cell, entry.species, _between(entry.number, rng), rng)
        elif isinstance(entry, entries.Interstitial):
            number = _between(entry.number, rng)
            atoms = with_interstitials(cell, entry.species, number, rng, min_distance_ang=entry.min_distance_ang)
        elif isinstance(entry, entries.Rattle):
            amplitude = entry.amplitudes_ang[index % len(entry.amplitudes_ang)]
            rattle = (amplitude, amplitude)
        return distorted(atoms, Draw(entry.count, entry.volume_ratio, entry.shear, rattle), index, rng)

    return make


def _slab_maker(entry: entries.Surface, cell: Atoms) -> FrameMaker:
    found = slabs(
        cell, entry.miller, slab_ang=entry.slab_ang, max_atoms=entry.max_atoms, unbroken=entry.unbroken or None
    )
    repeat = (*(entry.repeat or (1, 1, 1))[:2], 1)

    def make(index: int, rng: np.random.Generator) -> Atoms:
        slab = with_vacuum(found[index % len(found)], float(rng.uniform(*entry.vacuum_ang))).repeat(repeat)
        return distorted(slab, Draw(entry.count, entry.volume_ratio, entry.shear, entry.rattle_ang), index, rng)

    return make


def _packer(entry: Packed, cells: Cells) -> FrameMaker:
    if entry.of is not None:
        cell = cells.get(entry.of)
        composition, density = cell.get_chemical_formula(), density_of(cell)
        low, high = entry.density_g_per_cm3 or (density * entry.density_ratio[0], density * entry.density_ratio[1])
    else:
        assert entry.composition is not None
        assert entry.density_g_per_cm3 is not None
        composition, (low, high) = entry.composition, entry.density_g_per_cm3
    counts = counts_of(composition, entry.n_atoms)

    def make(index: int, rng: np.random.Generator) -> Atoms:
        # One in each part of the range, as volumes of the other kinds.
        density = low + (index + float(rng.uniform())) / entry.count * (high - low)
        return random_packing(counts, density, rng, distances=entry.min_distance_ang, scale=entry.scale)

    return make


def _dimers(entry: entries.Dimer, seed: int, species: list[str]) -> list[Drawn]:
    drawn = []
    for first, second in pairs_of(species, entry.pairs):
        name = f"{entry.config_type}-{first}-{second}"
        for index, distance in enumerate(dimer_distances(*entry.distance_ang, entry.count)):
            atoms = dimer(first, second, float(distance))
            atoms.info.update(config_type=name, group=f"{name}-{index:04d}", parent_id="")
            drawn.append(Drawn(atoms, entry.frame_class, f"{first}-{second}", entry.kind))
    return drawn


def _of_melt(entry: MeltQuench, stages: list[Frames]) -> list[Drawn]:
    if len(stages) > len(entry.temperatures_k):
        raise ValueError(f"there are frames of {len(stages)} stages, but {len(entry.temperatures_k)} temperatures_k")
    drawn = []
    for temperature, frames in zip(entry.temperatures_k, stages, strict=False):
        for atoms in frames.without_labels().iter_atoms():
            atoms.info["config_type"] = entry.config_type
            drawn.append(Drawn(atoms, entry.frame_class, entry.phase, entry.kind, temperature))
    return drawn


def repeated(cell: Atoms, repeat: tuple[int, int, int] | None, max_atoms: int) -> Atoms:
    """Return a cell repeated as told, or along its shortest side as long as it has at most ``max_atoms``."""
    if repeat is not None:
        return rounded(cell.repeat(repeat))
    times = np.ones(3, dtype=int)
    while True:
        more = times.copy()
        more[int(np.argmin((cell.cell.lengths() * times).round(6)))] += 1
        if len(cell) * more.prod() > max_atoms:
            return rounded(cell.repeat(times.tolist()))
        times = more


def _between(limits: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(limits[0], limits[1] + 1))


def _require_apart(atoms: Atoms, index: int) -> None:
    distance, pair = smallest_distance(atoms.positions, np.asarray(atoms.cell), True)
    if distance < MIN_DISTANCE_ANG:
        raise ValueError(
            f"frame {index} has atoms {pair[0]} and {pair[1]} {distance:.2f} Å apart: lower rattle_ang or raise "
            "volume_ratio of this entry."
        )
