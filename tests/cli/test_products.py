"""``aiida-seireact products``: from files alone, and with real relaxations of the library's phases."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aiida_seireact.cli.products import products
from aiida_seireact.science.structures.library import structure

TABLE = {
    "Li": 0.0, "P": 0.0, "S": 0.0, "Cl": 0.0, "Li2S": -4.5, "LiCl": -4.1, "Li3P": -3.4, "LiP": -1.4,
    "Li3PS4": -8.0, "Li6PS5Cl": -16.5,
}  # fmt: skip


@pytest.fixture
def entries(tmp_path: Path) -> str:
    path = tmp_path / "entries.json"
    path.write_text(json.dumps([{"formula": name, "energy_ev": energy} for name, energy in TABLE.items()]))
    return str(path)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(products, list(arguments))


def answer(*arguments: str) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_table_tells_the_lithiation_end(entries: str):
    result = call("Li", "Li6PS5Cl", "--entries", entries)
    assert result.exit_code == 0, result.output
    assert "8 Li + Li6PS5Cl → 5 Li2S + Li3P + LiCl" in result.output
    assert "lithiation end" in result.output


def test_no_profile_and_no_aiida_is_needed(entries: str):
    code = (
        "import sys; from click.testing import CliRunner; from aiida_seireact.cli.products import products;"
        f"result = CliRunner().invoke(products, ['Li', 'Li2S', '--entries', {entries!r}]);"
        "assert result.exit_code == 0, result.output; assert 'aiida' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_plot_names_the_products_and_is_the_same_twice(entries: str, tmp_path: Path):
    drawn = []
    for name in ("one.svg", "two.svg"):
        assert call("Li", "Li6PS5Cl", "--entries", entries, "--plot", str(tmp_path / name)).exit_code == 0
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]
    assert "5 Li₂S + Li₃P + LiCl  (lithiation end)" in drawn[0].decode()


def test_saved_energies_are_entries(entries: str, tmp_path: Path):
    saved = tmp_path / "saved.json"
    first = answer("Li", "Li6PS5Cl", "--entries", entries, "--save", str(saved))
    assert answer("Li", "Li6PS5Cl", "--entries", str(saved)) == first


def test_a_dry_run_tells_the_phases_and_computes_nothing():
    result = call("Li", "Li3InCl6", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "8 phases would be relaxed by chgnet" in result.output
    assert "Li3InCl6" in result.output


@pytest.fixture(scope="module")
def relaxed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the products of argyrodite by CHGNet: every phase of Li-P-S-Cl relaxed, 25 s."""
    saved = tmp_path_factory.mktemp("products") / "entries.json"
    found = answer("Li", "Li6PS5Cl", "--save", str(saved))
    found["entries"] = json.loads(saved.read_text())["entries"]
    return found


def test_chgnet_lithiates_argyrodite_to_li2s_li3p_and_licl(relaxed: dict[str, Any]):
    end = relaxed["kinks"][relaxed["lithiation_end"]]
    assert end["products"] == {"Li2S": 5.0, "Li3P": 1.0, "LiCl": 1.0}
    assert end["n_first"] == pytest.approx(8.0)
    # CHGNet 0.3.0 gave -10.92 eV on other cells of argyrodite; PBE by GPAW -11.97.
    assert -11.1 < end["energy_ev"] < -10.8


def test_chgnet_has_argyrodite_a_little_above_the_hull(relaxed: dict[str, Any]):
    above = {phase["name"]: phase["above_hull_ev_per_atom"] for phase in relaxed["phases"]}
    assert {name for name in ("Li", "P", "S", "Cl", "Li2S", "Li3P", "LiCl", "LiP") if above[name] == 0.0} == {
        "Li", "P", "S", "Cl", "Li2S", "Li3P", "LiCl", "LiP",
    }  # fmt: skip
    # Known to decompose at 0 K into Li3PS4, Li2S and LiCl, by some 20 meV/atom.
    assert 0.0 < above["Li6PS5Cl"] < 0.05


def test_every_energy_has_its_frame_and_one_level(relaxed: dict[str, Any]):
    assert {len(entry["source"]) for entry in relaxed["entries"]} == {64}
    assert {entry["level"] for entry in relaxed["entries"]} == {relaxed["level"]}


def test_chgnet_reduces_li3incl6_to_indium_and_its_alloy():
    found = answer("Li", "Li3InCl6")
    reactions = [kink["reaction"] for kink in found["kinks"]]
    assert "3 Li + Li3InCl6 → In + 6 LiCl" in reactions
    assert found["kinks"][found["lithiation_end"]]["products"] == {"LiCl": 6.0, "LiIn": 1.0}


def test_a_cif_adds_a_phase(tmp_path: Path):
    cif = tmp_path / "rocksalt.cif"
    cif.write_text(structure("LiCl", a=5.2).to(fmt="cif"))
    found = answer("Li", "LiCl", "--cif", str(cif), "--phase", "Li", "--phase", "Cl", "--phase", "LiCl")
    energies = {phase["name"]: phase["energy_ev_per_atom"] for phase in found["phases"]}
    assert energies["rocksalt"] == pytest.approx(energies["LiCl"], abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Li", "Li6PS5Br"], "did you mean Li6PS5Cl"),
        (["Li", "Li2S", "--phase", "Xx"], "no phase 'Xx'"),
        (["Li", "Li2S", "--calculator", "chgnett"], "chgnet"),
        (["Li", "Li2S", "--plot", "p.doc"], "--plot draws .svg, .png, .pdf"),
        (["Li", "Li2S", "--code", "x@y"], "give --submit with it"),
    ],
)
def test_bad_input_gets_a_sentence(arguments: list[str], sentence: str):
    result = call(*arguments)
    assert result.exit_code != 0
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_entries_and_cifs_are_not_mixed(entries: str, tmp_path: Path):
    cif = tmp_path / "x.cif"
    cif.write_text("hello")
    assert "leave out --cif" in call("Li", "Li2S", "--entries", entries, "--cif", str(cif)).output
    assert "x: This is no CIF" in call("Li", "Li2S", "--cif", str(cif)).output


def test_a_broken_file_is_named(tmp_path: Path):
    path = tmp_path / "broken.json"
    path.write_text("{")
    assert "broken.json: The entries are not JSON" in call("Li", "Li2S", "--entries", str(path)).output
