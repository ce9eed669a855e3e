"""The tables of exit codes are those of the processes."""

from __future__ import annotations

from aiida.engine import BaseRestartWorkChain, CalcJob, Process

from aiida_seireact.calculations.allegro import AllegroCalculation
from aiida_seireact.calculations.analyse import AnalyseCalculation
from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.calculations.build import BuildCalculation
from aiida_seireact.calculations.classify import ClassifyCalculation
from aiida_seireact.calculations.compile import CompileCalculation
from aiida_seireact.calculations.curate import CurateCalculation
from aiida_seireact.calculations.flare import FlareCalculation
from aiida_seireact.calculations.lammps import LammpsCalculation
from aiida_seireact.calculations.sample import SampleCalculation
from aiida_seireact.calculations.select import SelectCalculation
from aiida_seireact.calculations.start import StartCalculation
from aiida_seireact.workchains.aimd import AimdWorkChain
from aiida_seireact.workchains.aimd_ase import AseAimdWorkChain
from aiida_seireact.workchains.aimd_cp2k import Cp2kAimdWorkChain
from aiida_seireact.workchains.aimd_qe import QeAimdWorkChain
from aiida_seireact.workchains.aimd_vasp import VaspAimdWorkChain
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.atoms import IsolatedAtomsWorkChain
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.augment_round import AugmentRoundWorkChain
from aiida_seireact.workchains.build import BuildWorkChain
from aiida_seireact.workchains.campaign import CampaignWorkChain
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.committee import CommitteeWorkChain
from aiida_seireact.workchains.curate import CurateWorkChain
from aiida_seireact.workchains.draw import DrawWorkChain
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.followup import FollowUpWorkChain
from aiida_seireact.workchains.gap_qe import QeGapWorkChain
from aiida_seireact.workchains.gap_vasp import VaspGapWorkChain
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.label_cp2k import Cp2kLabelWorkChain
from aiida_seireact.workchains.label_qe import QeLabelWorkChain
from aiida_seireact.workchains.label_vasp import VaspLabelWorkChain
from aiida_seireact.workchains.ladder import LadderWorkChain
from aiida_seireact.workchains.leg import LegWorkChain
from aiida_seireact.workchains.melting import MeltingWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.products import ProductsWorkChain
from aiida_seireact.workchains.react import ReactWorkChain
from aiida_seireact.workchains.sample import SampleWorkChain
from aiida_seireact.workchains.select import SelectWorkChain
from aiida_seireact.workchains.start import StartWorkChain
from aiida_seireact.workchains.train import TrainWorkChain
from tests.docs._pages import DOCS, table

PAGE = DOCS / "howto" / "healthy.md"
JOBS = (
    AllegroCalculation,
    AnalyseCalculation,
    AseCalculation,
    BuildCalculation,
    ClassifyCalculation,
    CompileCalculation,
    CurateCalculation,
    FlareCalculation,
    LammpsCalculation,
    SampleCalculation,
    SelectCalculation,
    StartCalculation,
)
WORKCHAINS = (
    AimdWorkChain,
    AnalyseWorkChain,
    AseAimdWorkChain,
    AseLabelWorkChain,
    AugmentRoundWorkChain,
    AugmentWorkChain,
    BuildWorkChain,
    CampaignWorkChain,
    ClassifyWorkChain,
    CommitteeWorkChain,
    Cp2kAimdWorkChain,
    Cp2kLabelWorkChain,
    CurateWorkChain,
    DrawWorkChain,
    ExploreWorkChain,
    FollowUpWorkChain,
    IsolatedAtomsWorkChain,
    LabelWorkChain,
    LadderWorkChain,
    LegWorkChain,
    MeltingWorkChain,
    ProduceWorkChain,
    QeAimdWorkChain,
    ProductsWorkChain,
    QeGapWorkChain,
    QeLabelWorkChain,
    ReactWorkChain,
    SampleWorkChain,
    SelectWorkChain,
    StartWorkChain,
    TrainWorkChain,
    VaspAimdWorkChain,
    VaspGapWorkChain,
    VaspLabelWorkChain,
)


def codes(*processes: type[Process]) -> set[tuple[int, str]]:
    """Return number and name of the exit codes of processes."""
    return {(code.status, label) for process in processes for label, code in process.spec().exit_codes.items()}


def test_the_table_holds_our_exit_codes_and_no_other() -> None:
    rows = {(int(row[0]), row[1].strip("`")) for row in table(PAGE, "exit-codes")}
    ours = codes(*JOBS, *WORKCHAINS) - codes(CalcJob, BaseRestartWorkChain)
    assert rows == ours


def test_codes_of_aiida_core_are_told_as_they_are() -> None:
    rows = {(int(row[0]), row[1].strip("`")) for row in table(PAGE, "core-exit-codes")}
    assert rows <= codes(CalcJob, BaseRestartWorkChain)


def test_every_job_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{job.__name__}`" in text for job in JOBS)
