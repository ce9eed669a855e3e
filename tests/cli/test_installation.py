from __future__ import annotations

import pytest
from aiida import orm
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching, get_use_cache

from aiida_seireact.cli import installation
from aiida_seireact.cli.installation import CACHED, SetupError, install, prepend_text
from aiida_seireact.cli.machine import Environment
from aiida_seireact.cli.programs import PROGRAMS
from aiida_seireact.workchains.codes import find_code

CARDS = {card.name: card for card in PROGRAMS}


def environment(torch="2.13.0+cpu"):
    versions = {"aiida-seireact": "0.1.0", "torch": torch, "ase": "3.29.0", "numpy": "1.26.4"}
    versions |= {name: "1" for card in PROGRAMS for name in card.needs if name not in versions}
    return Environment("/opt/bin", versions, frozenset(card.script for card in PROGRAMS))


@pytest.fixture
def set_up(aiida_profile_clean, aiida_localhost, monkeypatch):
    """Return a function that runs setup against an environment that is told."""

    def run(found, **kwargs):
        monkeypatch.setattr(installation, "_probe", lambda computer, bin_dir: found)
        name = get_manager().get_profile().name
        steps = install(name, programs=["label"], caching=False, **kwargs)
        return {step.thing: step for step in steps}

    return run


def test_versions_are_in_the_code_and_so_in_its_hash():
    text = prepend_text(CARDS["label"], environment())
    assert "aiida-seireact 0.1.0" in text
    assert "torch 2.13.0+cpu" in text
    assert "export OMP_NUM_THREADS=1" in text
    assert "MALLOC_TOP_PAD_" not in text
    assert "MALLOC_TOP_PAD_" in prepend_text(CARDS["lmp"], environment())


def test_a_second_setup_reuses(set_up):
    assert set_up(environment())["code seireact-label-0.1.0"].outcome == "made"
    again = set_up(environment())
    assert again["code seireact-label-0.1.0"].outcome == "reused"
    assert not any(step.is_change for step in again.values())


def test_an_upgraded_package_makes_a_new_code_and_the_old_version_comes_back(set_up):
    set_up(environment())
    old = find_code("label")
    steps = set_up(environment(torch="2.14.0"))
    new = find_code("label")
    assert new.pk != old.pk
    assert new.label.startswith("seireact-label-0.1.0-")
    assert len(new.label) == len("seireact-label-0.1.0-3f2a")
    assert new.base.caching.compute_hash() != old.base.caching.compute_hash()
    assert steps["code seireact-label-0.1.0"].outcome == "hidden"

    assert set_up(environment())["code seireact-label-0.1.0"].outcome == "reused"
    assert find_code("label").pk == old.pk


def test_a_dry_run_changes_nothing(set_up):
    steps = set_up(environment(), dry_run=True)
    assert steps["code seireact-label-0.1.0"].outcome == "would make"
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0


def test_a_missing_program_is_told_and_gets_no_code(set_up):
    bare = Environment("/opt/bin", {"aiida-seireact": "0.1.0"}, frozenset())
    step = set_up(bare)["code seireact-label-0.1.0"]
    assert step.outcome == "missing"
    assert "`pip install 'aiida-seireact[label]'`" in step.detail
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0


def test_an_unknown_computer_is_refused(set_up):
    with pytest.raises(SetupError, match="verdi computer setup"):
        set_up(environment(), computer_label="cluster")


def test_another_machine_needs_a_bin_dir(aiida_profile_clean, aiida_computer_ssh):
    computer = aiida_computer_ssh(label="cluster", configure=False)
    computer.configure()
    with pytest.raises(SetupError, match="--bin-dir"):
        install(get_manager().get_profile().name, computer_label="cluster", caching=False)


def test_what_is_cached(aiida_profile):
    own = ("aiida.calculations:seireact.ase", "aiida_seireact.calculations.functions.frames.merge_frames")
    other = "aiida.calculations:core.arithmetic.add"
    with enable_caching(identifier=CACHED[0]), enable_caching(identifier=CACHED[1]):
        assert all(get_use_cache(identifier=identifier) for identifier in own)
        assert not get_use_cache(identifier=other)
