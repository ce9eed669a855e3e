"""Calculators of ASE by name: what they are called, what they know, and what identifies their labels."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ase.calculators.calculator import Calculator, get_calculator_class
from ase.calculators.names import names as ase_names
from ase.data import chemical_symbols

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.formats.labels import level_hash

CHGNET_MODELS = ("0.3.0", "0.2.0", "r2scan")
# CHGNet embeds the elements up to plutonium.
CHGNET_SPECIES = tuple(chemical_symbols[1:95])
# These take any keyword argument and never look at those they don't know.
SILENT = ("emt", "lj", "morse")


@dataclass(frozen=True)
class Labeller:
    """A calculator with what has to be known about it.

    :param calculator: the ASE calculator.
    :param identity: name, keyword arguments, model and version: all that decides its labels, and nothing
        else.
    :param species: the elements it knows; None where it cannot be asked.
    :param no_isolated_atoms: why it gives no energies of isolated atoms; empty when it does.
    """

    calculator: Calculator
    identity: Mapping[str, Any]
    species: tuple[str, ...] | None = None
    no_isolated_atoms: str = ""

    def require_labels(self) -> None:
        """Refuse a calculator that gives no whole labels.

        :raises InvalidInput: energy, forces or stress is none of its properties.
        """
        missing = {"energy", "forces", "stress"} - set(self.calculator.implemented_properties)
        if missing:
            raise InvalidInput(
                f"The calculator '{self.name}' gives no {' and no '.join(sorted(missing))}, "
                "but a label is energy, forces and stress: choose another calculator."
            )

    @property
    def name(self) -> str:
        """The name it was asked for by."""
        return str(self.identity["calculator"])

    @property
    def settings_hash(self) -> str:
        """sha256 of the identity as canonical JSON."""
        return level_hash(self.identity)


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
        if settings.name == "chgnet":
            labeller = _chgnet(settings)
        elif ":" in settings.name:
            labeller = _imported(settings)
        else:
            labeller = _from_ase(settings)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    return labeller


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
    return Labeller(
        # An atom without neighbours would get a meaningless energy: an error makes it a failed frame.
        calculator=CHGNetCalculator(model, use_device="cpu", on_isolated_atoms="error"),
        identity={
            "calculator": "chgnet",
            "kwargs": dict(settings.kwargs),
            "model": model_name,
            "version": importlib.metadata.version("chgnet"),
        },
        species=CHGNET_SPECIES,
        no_isolated_atoms="CHGNet was trained on crystals and has no energies of isolated atoms: "
        "fit reference energies to the labelled frames instead.",
    )


def _from_ase(settings: CalculatorSettings) -> Labeller:
    """Return a calculator by the name ASE gives it."""
    if settings.name not in ase_names:
        raise InvalidInput(
            f"There is no calculator '{settings.name}': known are chgnet, 'module:factory' "
            f"and those of ASE: {', '.join(ase_names)}."
        )
    try:
        factory = get_calculator_class(settings.name)
    except ImportError as error:
        raise MissingPackage(
            f"The calculator '{settings.name}' needs a package that is not there ({error}): "
            f"pip install {error.name or settings.name}."
        ) from error
    unknown = set(settings.kwargs) - set(factory.default_parameters)
    if settings.name in SILENT and unknown:
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
    return Labeller(_made(factory, settings), identity, species)


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
    return Labeller(_made(factory, settings), identity)


def _made(factory: Any, settings: CalculatorSettings) -> Calculator:
    """Call the factory; it refuses keyword arguments in many ways."""
    try:
        calculator = factory(**settings.kwargs)
    except Exception as error:
        raise InvalidInput(
            f"The calculator '{settings.name}' refuses its arguments {settings.kwargs} "
            f"({type(error).__name__}: {error})."
        ) from error
    if not isinstance(calculator, Calculator):
        raise InvalidInput(
            f"'{settings.name}' makes a {type(calculator).__name__}, not a calculator of ASE: "
            "name the class or a function that returns one."
        )
    return calculator
