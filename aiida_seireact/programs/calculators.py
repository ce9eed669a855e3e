"""Calculators of ASE by name: what they are called, what they know, and what identifies their labels."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator, FileIOCalculator, get_calculator_class
from ase.calculators.genericfileio import GenericFileIOCalculator
from ase.calculators.names import names as ase_names
from ase.data import chemical_symbols

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.formats.labellers import kind_of
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.formats.model import (
    COMPILED_SUFFIX,
    PACKAGE_SUFFIX,
    ModelFileError,
    read_compiled_card,
    read_package_card,
)
from aiida_seireact.programs.potentials import load_nequip

CHGNET_MODELS = ("0.3.0", "0.2.0", "r2scan")
# CHGNet embeds the elements up to plutonium.
CHGNET_SPECIES = tuple(chemical_symbols[1:95])
XTB_METHOD = "GFN1-xTB"
XTB_KNOBS = ("accuracy", "charge", "electronic_temperature", "max_iterations", "mixer_damping", "multiplicity")
# These take any keyword argument and never look at those they don't know.
SILENT = ("emt", "lj", "morse")


@dataclass(frozen=True)
class LabellerCard:
    """What has to be known about a calculator.

    :param identity: name, keyword arguments, model and version: all that decides its labels, and nothing else.
    :param properties: what it computes.
    :param species: the elements it knows; None where it cannot be asked.
    :param no_isolated_atoms: why it gives no energies of isolated atoms; empty when it does.
    :param no_stress: why its stress is not to be used; empty when it may be.
    """

    identity: Mapping[str, Any]
    properties: tuple[str, ...]
    species: tuple[str, ...] | None = None
    no_isolated_atoms: str = ""
    no_stress: str = ""

    @property
    def name(self) -> str:
        """The name it was asked for by."""
        return str(self.identity["calculator"])

    @property
    def settings_hash(self) -> str:
        """sha256 of the identity as canonical JSON."""
        return level_hash(self.identity)

    @property
    def kind(self) -> str:
        """``stand-in`` for a universal potential, and so on: see `kind_of`."""
        return kind_of(self.name).kind

    def require_labels(self, *, stress: bool = True) -> None:
        """Refuse a calculator that gives no whole labels.

        :param stress: whether a stress belongs to them.
        :raises InvalidInput: energy, forces or stress is none of its properties.
        """
        missing = sorted({"energy", "forces"} - set(self.properties))
        if missing:
            raise InvalidInput(
                f"The calculator '{self.name}' gives no {' and no '.join(missing)}, "
                "but a label is energy, forces and stress: choose another calculator."
            )
        if stress:
            self.require_stress("set acceptance.stress to false")

    def require_stress(self, otherwise: str) -> None:
        """Refuse a calculator whose stress is not there, or not to be used.

        :param otherwise: what to do beside choosing another.
        :raises InvalidInput: saying why.
        """
        why = self.no_stress
        if "stress" not in self.properties:
            why = f"The calculator '{self.name}' gives no stress, but a label is energy, forces and stress"
        if why:
            raise InvalidInput(f"{why}: choose another calculator, or {otherwise}.")

    def require_species(self, species: Sequence[str]) -> None:
        """Refuse elements it does not know.

        :raises InvalidInput: naming them.
        """
        unknown = [symbol for symbol in species if symbol not in (self.species or species)]
        if unknown:
            few = self.species is not None and len(self.species) < 20
            known = f"it knows {', '.join(self.species or ())}" if few else "they are beyond its table"
            raise InvalidInput(
                f"The calculator '{self.name}' does not know {', '.join(unknown)} ({known}): choose another calculator."
            )

    def require_isolated_atoms(self) -> None:
        """Refuse a calculator that gives no energies of isolated atoms.

        :raises InvalidInput: its own sentence.
        """
        if self.no_isolated_atoms:
            raise InvalidInput(self.no_isolated_atoms)


@dataclass(frozen=True)
class Labeller:
    """A calculator of ASE and its card."""

    calculator: BaseCalculator
    card: LabellerCard


def load_labeller(settings: CalculatorSettings, *, threads: int = 1) -> Labeller:
    """Return the calculator that the settings name.

    :param threads: threads of torch and of the libraries loaded from here on.
    :raises InvalidInput: unknown name, or keyword arguments it does not take; the message says which are
        known.
    :raises MissingPackage: its package is not installed; the message has the command.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    # What a calculator prints would end up on the standard output, which belongs to --help and --dry-run.
    with contextlib.redirect_stdout(sys.stderr):
        if settings.name in OWN:
            labeller = OWN[settings.name](settings)
        elif ":" in settings.name:
            labeller = _imported(settings)
        else:
            labeller = _from_ase(settings)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    return labeller


def apart(calculator: BaseCalculator) -> None:
    """Give a calculator that runs a program in a folder one of its own, so that workers do not share files."""
    if isinstance(calculator, FileIOCalculator | GenericFileIOCalculator):
        calculator.directory = Path(calculator.directory) / f"worker_{os.getpid()}"


def _chgnet(settings: CalculatorSettings) -> Labeller:
    """CHGNet on the CPU, in single precision: its graph converter knows float32 only (0.4.2)."""
    unknown = set(settings.kwargs) - {"model_name"}
    model_name = settings.kwargs.get("model_name", CHGNET_MODELS[0])
    if unknown or model_name not in CHGNET_MODELS:
        raise InvalidInput(
            f"The calculator 'chgnet' takes model_name only, one of {', '.join(CHGNET_MODELS)}: "
            f"{settings.kwargs} does not fit."
        )
    try:
        from chgnet.model.dynamics import CHGNetCalculator
        from chgnet.model.model import CHGNet
    except ImportError as error:
        raise MissingPackage(
            f"The calculator 'chgnet' needs its package ({error}): pip install 'aiida-seireact[label]'."
        ) from error
    # Two habits of chgnet 0.4.2 that torch and pymatgen remark on; the last line of a job is what `status` shows.
    for message in ("Converting a tensor with requires_grad", "Only FixAtoms and FixCartesian"):
        warnings.filterwarnings("ignore", message=message, category=UserWarning)
    model = CHGNet.load(model_name=model_name, use_device="cpu", verbose=False)
    return _labeller(
        # An atom without neighbours would get a meaningless energy: an error makes it a failed frame.
        CHGNetCalculator(model, use_device="cpu", on_isolated_atoms="error"),
        {
            "calculator": "chgnet",
            "kwargs": dict(settings.kwargs),
            "model": model_name,
            "version": importlib.metadata.version("chgnet"),
        },
        species=CHGNET_SPECIES,
        no_isolated_atoms="CHGNet was trained on crystals and has no energies of isolated atoms: "
        "fit reference energies to the labelled frames instead.",
    )


def _sevennet(settings: CalculatorSettings) -> Labeller:
    """SevenNet on the CPU; its wheel ships the weights of these two."""
    if settings.kwargs:
        raise InvalidInput(f"The calculator '{settings.name}' takes no arguments: {settings.kwargs} does not fit.")
    try:
        from sevenn.calculator import SevenNetCalculator
    except ImportError as error:
        raise MissingPackage(
            f"The calculator '{settings.name}' needs its package ({error}): pip install sevenn."
        ) from error
    return _labeller(
        SevenNetCalculator(model=settings.name, device="cpu"),
        {"calculator": settings.name, "kwargs": {}, "version": importlib.metadata.version("sevenn")},
        no_isolated_atoms="SevenNet was trained on crystals and has no energies of isolated atoms: "
        "fit reference energies to the labelled frames instead.",
    )


def _tblite(settings: CalculatorSettings) -> Labeller:
    """GFN1-xTB: energies and forces. Differences from DFT: docs/howto/another_labeller.md."""
    unknown = set(settings.kwargs) - {"method", *XTB_KNOBS}
    if unknown:
        raise InvalidInput(
            f"The calculator 'tblite' has no argument {', '.join(sorted(unknown))} here: "
            f"it has method, {', '.join(XTB_KNOBS)}."
        )
    kwargs = {"method": XTB_METHOD, **settings.kwargs}
    if kwargs["method"] != XTB_METHOD:
        raise InvalidInput(
            f"The calculator 'tblite' labels with {XTB_METHOD} only, not with {kwargs['method']}: the electrons of "
            "GFN2-xTB do not converge on cells of Li, P, S and Cl, and nothing is known of other methods."
        )
    try:
        from tblite.ase import TBLite
    except ImportError as error:
        raise MissingPackage(
            f"The calculator 'tblite' needs its package ({error}): pip install 'aiida-seireact[xtb]'."
        ) from error
    return _labeller(
        _made(TBLite, settings.model_copy(update={"kwargs": {**kwargs, "verbosity": 0}})),
        {"calculator": "tblite", "kwargs": kwargs, "version": importlib.metadata.version("tblite")},
        species=tuple(chemical_symbols[1:87]),
        no_isolated_atoms="Isolated atoms of GFN1-xTB are no reference for its crystals: "
        "fit reference energies to the labelled frames instead.",
        no_stress="The stress of GFN1-xTB is off by 1 to 8 GPa on crystals of Li, P, S and Cl and is not taken",
    )


def _nequip(settings: CalculatorSettings) -> Labeller:
    """A trained model: a package, or a file compiled for the target ase. Loading runs its code: `allow_import`."""
    model, expected = settings.kwargs.get("model"), settings.kwargs.get("model_hash")
    if not isinstance(model, str) or set(settings.kwargs) - {"model", "model_hash"}:
        raise InvalidInput(
            f"The calculator 'nequip' takes model, the path of a {PACKAGE_SUFFIX} or {COMPILED_SUFFIX}, and "
            f"optionally model_hash: {settings.kwargs} does not fit."
        )
    try:
        if model.endswith(COMPILED_SUFFIX):
            compiled = read_compiled_card(model)
            species, model_hash = compiled.species, compiled.package_hash or compiled.compiled_hash
            if (compiled.target, compiled.device) != ("ase", "cpu"):
                raise InvalidInput(
                    f"{model} is compiled for {compiled.target} on {compiled.device}: "
                    "compile the package with the target ase on a cpu."
                )
        else:
            package = read_package_card(model)
            species, model_hash = package.species, package.model_hash
    except ModelFileError as error:
        raise InvalidInput(str(error)) from error
    if expected not in (None, model_hash):
        raise InvalidInput(f"{model} holds the model {model_hash[:12]}, not {str(expected)[:12]} as asked for.")
    return _labeller(
        load_nequip(Path(model), compiled=model.endswith(COMPILED_SUFFIX)),
        # What a file is called decides nothing.
        {"calculator": "nequip", "kwargs": {}, "model": model_hash, "version": importlib.metadata.version("nequip")},
        species=tuple(species),
    )


OWN: Mapping[str, Callable[[CalculatorSettings], Labeller]] = {
    "chgnet": _chgnet,
    "7net-0": _sevennet,
    "7net-l3i5": _sevennet,
    "tblite": _tblite,
    "nequip": _nequip,
}


def _from_ase(settings: CalculatorSettings) -> Labeller:
    """Return a calculator by the name ASE gives it."""
    if settings.name not in ase_names:
        raise InvalidInput(
            f"There is no calculator '{settings.name}': known are {', '.join(OWN)}, 'module:factory' "
            f"and those of ASE: {', '.join(ase_names)}."
        )
    try:
        factory = get_calculator_class(settings.name)
    except ImportError as error:
        raise MissingPackage(
            f"The calculator '{settings.name}' needs a package that is not there ({error}): "
            f"pip install {error.name or settings.name}."
        ) from error
    unknown = set(settings.kwargs) - set(factory.default_parameters) if settings.name in SILENT else set()
    if unknown:
        raise InvalidInput(
            f"The calculator '{settings.name}' has no argument {', '.join(sorted(unknown))}: "
            f"it has {', '.join(sorted(factory.default_parameters))}."
        )
    species = None
    if settings.name == "emt":
        from ase.calculators.emt import parameters

        species = tuple(parameters)
    identity = {
        "calculator": settings.name,
        "kwargs": dict(settings.kwargs),
        "version": importlib.metadata.version("ase"),
    }
    return _labeller(_made(factory, settings), identity, species=species)


def _imported(settings: CalculatorSettings) -> Labeller:
    """Return what 'module:factory' makes; the version is that of the distribution the module belongs to."""
    module_name, _, factory_name = settings.name.partition(":")
    root = module_name.partition(".")[0]
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except ImportError as error:
        raise MissingPackage(
            f"The calculator '{settings.name}' cannot be imported ({error}): install the package "
            f"that holds it, `pip install {root}` where it has that name."
        ) from error
    except AttributeError:
        raise InvalidInput(f"The module '{module_name}' has no '{factory_name}': look at its spelling.") from None
    distributions = importlib.metadata.packages_distributions().get(root, [])
    versions = {name: importlib.metadata.version(name) for name in sorted(set(distributions))}
    identity = {"calculator": settings.name, "kwargs": dict(settings.kwargs), "version": versions}
    return _labeller(_made(factory, settings), identity)


def _labeller(calculator: BaseCalculator, identity: Mapping[str, Any], **known: Any) -> Labeller:
    return Labeller(calculator, LabellerCard(identity, tuple(calculator.implemented_properties), **known))


def _made(factory: Any, settings: CalculatorSettings) -> BaseCalculator:
    """Call the factory; it refuses keyword arguments in many ways."""
    try:
        calculator = factory(**settings.kwargs)
    except Exception as error:
        raise InvalidInput(
            f"The calculator '{settings.name}' refuses its arguments {settings.kwargs} "
            f"({type(error).__name__}: {error})."
        ) from error
    if not isinstance(calculator, BaseCalculator):
        raise InvalidInput(
            f"'{settings.name}' makes a {type(calculator).__name__}, not a calculator of ASE: "
            "name the class or a function that returns one."
        )
    return calculator
