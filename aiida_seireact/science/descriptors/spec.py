"""What descriptors depend on: the settings of every source, and the hash that keeps unlike ones apart."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from ase.data import atomic_numbers

# The first radial basis of a source is its default.
RADIALS = {"ace": ("chebyshev", "bessel"), "soap": ("gto", "polynomial"), "pyace": ("bessel", "chebyshev")}
# ACE: as far as the harmonics are written out. The others: beyond it nothing was ever tried.
LARGEST_L = {"ace": 3, "soap": 9, "pyace": 9}
FORMS = {"ace": "b2 chebyshev quadratic /1", "soap": "soap power spectrum /1", "pyace": "pyace projections /1"}
PACKAGES = {"soap": "dscribe", "pyace": "python-ace"}

# Settings before there were sources: always told, so that the hashes of old files hold.
_FIRST = ("species", "cutoff_ang", "n_max", "l_max", "centre")


class DescriptorError(ValueError):
    """A structure or a setting that has no descriptors; the message says why."""


class MissingSourceError(DescriptorError):
    """The package of a source is not installed; the message holds the command that installs it."""


@dataclass(frozen=True)
class DescriptorSpec:
    """Everything the numbers depend on: descriptors of unlike specs must never be compared.

    Defaults: the cutoff and l_max of Ding et al. (arXiv:2506.10944) for FLARE, n_max 4 instead of 9, which
    separates the phases as well at a fifth of the length.

    :param species: element symbols, in the order of the channels.
    :param cutoff_ang: neighbours up to this distance, Å.
    :param n_max: radial functions for each species.
    :param l_max: highest angular momentum, at most 3 (ace) or 9.
    :param centre: element whose environments are described.
    :param source: ``ace``, built in: B2, equal to FLARE's; ``soap``: of dscribe; ``pyace``: B1 and B2 of python-ace.
    :param radial: radial functions, ``chebyshev`` or ``bessel`` (ace, pyace), ``gto`` or ``polynomial`` (soap);
        None: the first of these.
    :param cutoffs_ang: cutoff of the neighbours of each species, Å, in the order of ``species``, none above
        ``cutoff_ang``; empty: the same for all. Of ace only, like the next three.
    :param b1: prepend B1, the expansion's coefficients of l = 0.
    :param b3_n_max: append B3 of the first so many radial functions; 0: no B3.
    :param b3_l_max: highest angular momentum within B3.
    :param sigma_ang: width of the Gaussians of soap, Å; other sources have points.
    :param source_version: version of the source's package; None: of the one installed here.
    """

    species: tuple[str, ...] = ("Li", "P", "S", "Cl")
    cutoff_ang: float = 6.0
    n_max: int = 4
    l_max: int = 3
    centre: str = "Li"
    source: str = "ace"
    radial: str | None = None
    cutoffs_ang: tuple[float, ...] = ()
    b1: bool = False
    b3_n_max: int = 0
    b3_l_max: int = 0
    sigma_ang: float = 0.5
    source_version: str | None = None

    def __post_init__(self) -> None:
        for name in ("species", "cutoffs_ang"):  # JSON has lists only
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.source not in RADIALS:
            raise DescriptorError(f"A source of descriptors is one of {', '.join(RADIALS)}, not {self.source!r}.")
        if self.radial is None:
            object.__setattr__(self, "radial", RADIALS[self.source][0])
        if self.source_version is None and self.source in PACKAGES:
            object.__setattr__(self, "source_version", installed_version(self.source))
        _check(self)

    @property
    def n_features(self) -> int:
        """Length of one descriptor."""
        channels = len(self.species) * self.n_max
        b2 = channels * (channels + 1) // 2 * (self.l_max + 1)
        if not self.b3_n_max:
            return b2 + channels * self.has_b1
        from aiida_seireact.science.descriptors.b3 import n_terms

        return b2 + channels * self.has_b1 + n_terms(len(self.species) * self.b3_n_max, self.b3_l_max)

    @property
    def has_b1(self) -> bool:
        """Whether a descriptor begins with B1."""
        return self.b1 or self.source == "pyace"

    @property
    def cutoff_of(self) -> tuple[float, ...]:
        """Cutoff of the neighbours of each species, Å."""
        return self.cutoffs_ang or (self.cutoff_ang,) * len(self.species)

    @property
    def content_hash(self) -> str:
        """Hash of the settings, of the form of the descriptor and of the version of the source's package."""
        form = {"form": FORMS[self.source], **self.to_dict()}
        return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, ready for JSON: those of every source, and of the others what is not default."""
        found: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            default = RADIALS[self.source][0] if item.name == "radial" else item.default
            if item.name in _FIRST or value != default:
                found[item.name] = list(value) if isinstance(value, tuple) else value
        return found


def usual_order(symbols: Iterable[str]) -> list[str]:
    """Return species as a spec takes them: those of the default first, in its order, others by atomic number."""
    found = sorted(set(symbols), key=lambda symbol: atomic_numbers[symbol])
    usual = [symbol for symbol in DescriptorSpec.species if symbol in found]
    return [*usual, *(symbol for symbol in found if symbol not in usual)]


def installed_version(source: str) -> str | None:
    """Return the version of the package of a source, None where it is not installed (or built in)."""
    if source not in PACKAGES:
        return None
    try:
        return importlib.metadata.version(PACKAGES[source])
    except importlib.metadata.PackageNotFoundError:
        return None


def _check(spec: DescriptorSpec) -> None:
    unknown = [symbol for symbol in spec.species if symbol not in atomic_numbers]
    if unknown or not spec.species or len(set(spec.species)) != len(spec.species):
        raise DescriptorError(f"Species must be different element symbols, not {list(spec.species)}.")
    if spec.centre not in spec.species:
        raise DescriptorError(f"The centre {spec.centre} is not among the species {list(spec.species)}.")
    largest = LARGEST_L[spec.source]
    if not 0 < spec.cutoff_ang < float("inf") or spec.n_max < 1 or not 0 <= spec.l_max <= largest:
        raise DescriptorError(
            f"A descriptor needs cutoff_ang > 0, n_max ≥ 1 and l_max from 0 to {largest}, not "
            f"{spec.cutoff_ang}, {spec.n_max} and {spec.l_max}."
        )
    if spec.radial not in RADIALS[spec.source]:
        raise DescriptorError(
            f"The radial functions of {spec.source} are {' or '.join(RADIALS[spec.source])}, not {spec.radial}."
        )
    if spec.source != "ace" and (spec.cutoffs_ang or spec.b1 or spec.b3_n_max):
        raise DescriptorError(f"cutoffs_ang, b1 and b3_n_max are of the source ace, not of {spec.source}.")
    if spec.cutoffs_ang and (
        len(spec.cutoffs_ang) != len(spec.species)
        or not all(0 < cutoff <= spec.cutoff_ang for cutoff in spec.cutoffs_ang)
    ):
        raise DescriptorError(
            f"cutoffs_ang needs one cutoff for each of {', '.join(spec.species)}, above 0 and at most cutoff_ang "
            f"({spec.cutoff_ang}), not {list(spec.cutoffs_ang)}."
        )
    if not 0 <= spec.b3_n_max <= spec.n_max or not 0 <= spec.b3_l_max <= spec.l_max:
        raise DescriptorError(
            f"B3 takes its functions from B2: b3_n_max from 0 to {spec.n_max} and b3_l_max from 0 to {spec.l_max}, "
            f"not {spec.b3_n_max} and {spec.b3_l_max}."
        )
    if spec.b3_l_max and not spec.b3_n_max:
        raise DescriptorError(f"b3_l_max {spec.b3_l_max} says nothing while b3_n_max is 0: give both.")
    if spec.sigma_ang != DescriptorSpec.sigma_ang and spec.source != "soap":
        raise DescriptorError(f"sigma_ang is of the source soap, not of {spec.source}.")
    if not spec.sigma_ang > 0:
        raise DescriptorError(f"sigma_ang must be above 0, not {spec.sigma_ang}.")
    if spec.source == "ace" and spec.source_version is not None:
        raise DescriptorError("source_version is of the sources soap and pyace; ace is built in.")
