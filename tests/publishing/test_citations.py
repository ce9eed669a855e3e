"""What is cited is what ran; and everything that can run has an entry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ase.calculators.names import names as ase_names

from aiida_seireact import __version__
from aiida_seireact.cli.programs import PROGRAMS as CARDS
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.labellers import KINDS, TOY
from aiida_seireact.publishing.citations import all_works, bibtex_of, identifiers_of, without_entry, works_of
from aiida_seireact.publishing.subgraph import SubGraph
from aiida_seireact.publishing.what_ran import Ran
from aiida_seireact.workchains.codes import PROGRAMS

from .graphs import Finished, finished_study

PREFIXES = ("program:", "package:", "calculator:", "plugin:", "process:", "setting:")


def keys(*tokens: str) -> set[str]:
    return {work.key for work in works_of({"always", *tokens})}


@pytest.mark.parametrize("program", sorted({*PROGRAMS, *(card.name for card in CARDS)}))
def test_every_program_has_a_work(program: str) -> None:
    assert any(work.applies([f"program:{program}"]) for work in all_works())


@pytest.mark.parametrize("calculator", sorted(name for name, kind in KINDS.items() if kind.kind not in (TOY,)))
def test_every_labeller_has_a_work(calculator: str) -> None:
    assert keys(f"calculator:{calculator}") > keys()


@pytest.mark.parametrize("plugin", ["vasp.vasp", "quantumespresso.pw", "cp2k", "lammps.base"])
def test_every_engine_has_a_work(plugin: str) -> None:
    assert keys(f"plugin:{plugin}") > keys()


def test_nothing_is_cited_that_did_not_run() -> None:
    assert "kresse1996prb" not in keys("program:label", "calculator:chgnet")
    assert "park2024sevennet" not in keys("program:label", "calculator:chgnet")
    assert "deng2023chgnet" in keys("program:label", "calculator:chgnet")


def test_conditions_are_of_the_known_kinds() -> None:
    conditions = {when for work in all_works() for when in work.when}
    assert all(when == "always" or when.startswith(PREFIXES) for when in conditions)
    named = {when.removeprefix("program:") for when in conditions if when.startswith("program:")}
    assert named <= {card.name for card in CARDS}
    packages = {when.removeprefix("package:") for when in conditions if when.startswith("package:")}
    assert packages <= {package for card in CARDS for package in (*card.packages, *card.needs)}
    calculators = {when.removeprefix("calculator:") for when in conditions if when.startswith("calculator:")}
    assert {name for name in calculators if "*" not in name} <= {*KINDS, *ase_names}


def test_entries_are_whole() -> None:
    for work in all_works():
        assert re.match(rf"@\w+\{{{work.key},\n", work.bibtex), work.key
        assert work.bibtex.count("{") == work.bibtex.count("}"), work.key
        assert "title = {" in work.bibtex
        assert "author = {" in work.bibtex
        assert work.what
    assert len({work.key for work in all_works()}) == len(all_works())


def test_bibtex_is_read_by_a_parser() -> None:
    bibtexparser = pytest.importorskip("bibtexparser")
    parser = bibtexparser.bparser.BibTexParser(common_strings=True, ignore_nonstandard_types=False)
    assert len(bibtexparser.loads(bibtex_of(all_works()), parser).entries) == len(all_works())


def test_identifiers_are_dois_or_numbers_of_arxiv() -> None:
    found = identifiers_of(all_works())
    assert len(found) >= len(all_works()) - 3
    for identifier, kind in found:
        pattern = r"10\.\d{4,9}/\S+" if kind == "DOI" else r"arXiv:\d{4}\.\d{4,5}"
        assert re.fullmatch(pattern, identifier), identifier


def test_what_ran_is_told_by_results_and_settings(study: Finished) -> None:
    ran = Ran.of(SubGraph.of([study.top]))
    assert set(ran.programs) == {"seireact-label", "seireact-train", "seireact-lmp"}
    assert ran.labellers == {"chgnet"}
    tokens = ran.tokens()
    assert {"program:train", "calculator:chgnet", "package:torch", "process:make_dataset"} <= tokens
    # seireact-label tells the version of every labeller that is installed.
    assert not {"package:sevenn", "package:chgnet"} & tokens
    cited = {work.key for work in works_of(tokens)}
    assert {"deng2023chgnet", "musaelian2023allegro", "thompson2022lammps", "huber2020aiida"} <= cited
    assert not {"park2024sevennet", "vandermause2022flare", "derrico2021adp"} & cited
    assert ran.as_dict()["programs"]["seireact-lmp"] == {"lammps": ["2025.7.22"]}


def test_a_torn_result_file_is_told_and_makes_no_other_code(
    aiida_profile: Any, tmp_path: Path, six_frames: Frames
) -> None:
    study = finished_study(six_frames, tmp_path, retrieved={"result__json": b'{"program": "seireact-la'})
    ran = Ran.of(SubGraph.of([study.top]))
    assert "seireact-label" not in ran.programs
    assert not ran.outside
    assert ran.labellers == {"chgnet"}
    assert ran.untold() == ["1 job of seireact.ase, whose result.json can't be read"]
    assert ran.as_dict()["torn_results"] == {"seireact.ase": 1}


def test_what_has_no_entry_is_told() -> None:
    tokens = {"program:flare", "calculator:mine:factory", "plugin:wannier.wannier", "plugin:seireact.ase"}
    assert without_entry(tokens) == ["calculator:mine:factory", "plugin:wannier.wannier"]


def test_our_own_entry_is_of_this_version() -> None:
    (own,) = [work for work in all_works() if work.key == "seireact"]
    assert f"version = {{{__version__}}}" in own.bibtex
