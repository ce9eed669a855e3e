"""``pair_style allegro`` in LAMMPS itself, on one rank and several: as ASE, as seireact-lmp; and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io.lammpsdata import read_lammps_data
from click.testing import CliRunner
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import MissingPackage, ProgramFailed
from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.model import write_card_into_compiled
from aiida_seireact.formats.thermo import read_thermo
from aiida_seireact.programs import pair_style as program
from aiida_seireact.programs.pair_style import PairStyle

from .conftest import SPECIES, Trained, crystal
from .test_lmp import MODEL, SINGLE, in_ase, run, segment, triclinic

FORCES = (
    "dump d all custom 1 forces.dump id fx fy fz\ndump_modify d sort id format float %.12g\n"
    "compute e all pe/atom\ncompute s all reduce sum c_e\n"
    "thermo_style custom step temp pe etotal press pxx pyy pzz pxy pxz pyz vol c_s\n"
    "thermo_modify line yaml format float %.12g\n"
)
BAR_PER_EV_ANG3 = 1602176.634


@pytest.fixture
def folder(trained: Trained, compiled: dict[str, Any], tmp_path: Path) -> Path:
    """A folder with the session's compiled model."""
    (tmp_path / MODEL).symlink_to(trained.compiled)
    return tmp_path


def native(style: PairStyle, folder: Path, text: str, ranks: int = 1) -> str:
    """Run an input by LAMMPS itself on some ranks; return what it wrote to its log.

    :raises AssertionError: LAMMPS failed; the message holds its output.
    """
    (folder / "in.native").write_text(text)
    command = [style.mpiexec, "-n", str(ranks), style.lmp, "-in", "in.native", "-log", "log.native"]
    script = "\n".join([*style.exports, shlex.join(command)])
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "log.native").read_text()


def read_forces(path: Path) -> NDArray[np.float64]:
    """Forces of the last frame of a dump ``id fx fy fz`` sorted by id."""
    lines = path.read_text().splitlines()
    last = max(index for index, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
    return np.array([[float(word) for word in line.split()[1:4]] for line in lines[last + 1 :]])


def in_lammps_frame(folder: Path) -> Atoms:
    """The atoms of structure.data in LAMMPS's orientation, which write_data turned."""
    turned = read_lammps_data(folder / "structure.data", atom_style="atomic", units="metal", sort_by_id=True)
    turned.pbc = True
    return turned


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("case", ["triclinic", "thinner than the cutoff"])
def test_energy_forces_and_virial_are_those_of_ase(
    pair_style: PairStyle, trained: Trained, folder: Path, case: str, ranks: int
) -> None:
    atoms = triclinic((1, 1, 2)) if case == "thinner than the cutoff" else triclinic((2, 2, 3))
    write_data(folder / "structure.data", atoms, SPECIES)
    log = native(pair_style, folder, SINGLE + FORCES + "run 0\n", ranks)
    energy, forces, stress = in_ase(trained, in_lammps_frame(folder))
    thermo = read_thermo(folder / "log.native")
    assert "Type mapping (LAMMPS = name = model): 1 = Li = 0, 2 = P = 1, 3 = S = 2, 4 = Cl = 3" in log
    assert thermo["PotEng"][0] == pytest.approx(energy, abs=2e-6 * len(atoms))
    assert thermo["c_s"][0] == pytest.approx(energy, abs=2e-6 * len(atoms))
    np.testing.assert_allclose(read_forces(folder / "forces.dump"), forces, atol=1e-5)
    pressure = np.array([thermo[name][0] for name in ("Pxx", "Pyy", "Pzz", "Pyz", "Pxz", "Pxy")])
    np.testing.assert_allclose(-pressure / BAR_PER_EV_ANG3, stress, atol=2e-7)  # 0.3 bar


@pytest.mark.parametrize("ranks", [1, 2])
def test_300_steps_of_npt_are_those_of_the_embedded_engine(pair_style: PairStyle, folder: Path, ranks: int) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    text = segment(ensemble="npt", steps=300, temperature_k=200, thermo_every=50)
    run(folder, text)
    native(pair_style, folder, text, ranks)
    ours, theirs = read_thermo(folder / "log.lammps"), read_thermo(folder / "log.native")
    assert theirs["Step"][-1] == 300
    # float32 forces summed in another order; a wrong virial or a lost ghost force shows after a few steps
    np.testing.assert_allclose(theirs["TotEng"], ours["TotEng"], atol=1e-3)
    np.testing.assert_allclose(theirs["Volume"], ours["Volume"], rtol=1e-5)


def test_either_engine_goes_on_from_the_restart_of_the_other(pair_style: PairStyle, folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    start = segment(steps=20)
    run(folder, start)
    whole = read_thermo(folder / "log.lammps")["TotEng"][-1]
    settings = MdSettings(steps=10, timestep_fs=1.0, velocity_seed=None, thermo_every=5)
    follow = lammps_input(settings, species=SPECIES, model=MODEL, start="restart", start_file="final.restart")
    start, follow = (re.sub(r"^run .*$", "run 10", text, flags=re.MULTILINE) for text in (start, follow))
    run(folder, start)
    native(pair_style, folder, follow, 2)
    ours_then_theirs = read_thermo(folder / "log.native")
    native(pair_style, folder, start, 2)
    run(folder, follow)
    theirs_then_ours = read_thermo(folder / "log.lammps")
    for thermo in (ours_then_theirs, theirs_then_ours):
        assert thermo["Step"][-1] == 20
        # float32 forces, and sums in another order after the restart
        assert thermo["TotEng"][-1] == pytest.approx(whole, abs=1e-4)


def test_a_rank_of_vacuum_and_a_rank_with_one_atom_do_no_harm(
    pair_style: PairStyle, trained: Trained, folder: Path
) -> None:
    atoms = triclinic((2, 2, 2))
    atoms.set_cell(np.diag([40.0, 12.0, 12.0]))  # 8 Å of atoms, 32 Å of nothing
    atoms.translate([1.0, 1.0, 1.0])
    for place in ([], [[25.0, 5.0, 5.0]]):
        held = atoms + Atoms("Li" * len(place), positions=np.array(place).reshape(-1, 3))
        write_data(folder / "structure.data", held, SPECIES)
        native(pair_style, folder, "processors 2 1 1\n" + SINGLE + FORCES + "run 0\n", 2)
        energy, forces, stress = in_ase(trained, in_lammps_frame(folder))
        thermo = read_thermo(folder / "log.native")
        assert thermo["PotEng"][0] == pytest.approx(energy, abs=2e-6 * len(held))
        np.testing.assert_allclose(read_forces(folder / "forces.dump"), forces, atol=1e-5)
        assert -thermo["Pxx"][0] / BAR_PER_EV_ANG3 == pytest.approx(stress[0], abs=2e-7)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("newton on", "newton off", "pair_style allegro needs `newton on`"),
        ("units metal", "units real", "gives eV and Angstrom: write `units metal`"),
        ("Li P S Cl", "Li P S Br", "pair_coeff names Br, but the model knows Li, P, S, Cl only"),
        ("Li P S Cl", "Li P S", "pair_coeff names 3 species for 4 atom types"),
        ("* * model", "1 1 model", r"must start with \* \* for pair style allegro"),
        (f" {MODEL} Li P S Cl", "", r"takes `pair_coeff \* \* model.nequip.pt2 Li P S Cl`"),
        ("style allegro", "style allegro 5.0", "pair_style allegro takes no arguments"),
        (MODEL, "absent.nequip.pt2", "absent.nequip.pt2 can't be read as a compiled model, a .nequip.pt2"),
        (MODEL, "structure.data", "structure.data can't be read as a compiled model"),
        (MODEL, "cut.nequip.pt2", "cut.nequip.pt2 can't be read as a compiled model"),
        (MODEL, "torch.nequip.pt2", "was compiled with torch 1.0, this pair style was built with torch 2"),
        (MODEL, "ase.nequip.pt2", "ase.nequip.pt2 was not compiled for the target pair_allegro"),
        (MODEL, "cuda.nequip.pt2", "was compiled for cuda, and torch .* sees no GPU here"),
        (MODEL, "xpu.nequip.pt2", "was compiled for xpu, this pair style runs on cpu and cuda"),
        ("thermo_modify", "neigh_modify exclude type 1 1\nthermo_modify", "remove `neigh_modify exclude`"),
        ("thermo_modify", "compute v all stress/atom NULL\ncompute w all reduce sum c_v[1]\n"
         "thermo_style custom step pe press c_w\nthermo_modify", "has no virial of single atoms"),
    ],
)  # fmt: skip
def test_what_it_cannot_run_is_refused(
    pair_style: PairStyle, trained: Trained, folder: Path, old: str, new: str, sentence: str
) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    (folder / "cut.nequip.pt2").write_bytes(trained.compiled.read_bytes()[:1000])
    if new.endswith(".pt2") and not (folder / new).exists() and "absent" not in new:
        changed = {
            "torch": ("", ""),
            "ase": ("pos edge_index atom_types", "pos edge_index atom_types cell edge_cell_shift"),
            "cuda": ('"AOTI_DEVICE_KEY": "cpu"', '"AOTI_DEVICE_KEY": "cuda"'),
            "xpu": ('"AOTI_DEVICE_KEY": "cpu"', '"AOTI_DEVICE_KEY": "xpu"'),
        }[new.split(".")[0]]
        rewrite(trained.compiled, folder / new, *changed, torch="1.0" if "torch" in new else None)
    with pytest.raises(AssertionError, match=sentence):
        native(pair_style, folder, SINGLE.replace(old, new, 1) + "run 0\n")


def test_a_library_for_another_lammps_is_refused_which_lammps_itself_would_not(
    pair_style: PairStyle, folder: Path, tmp_path: Path
) -> None:
    date, other = program.lammps_date(pair_style.versions["lammps"]).encode(), b"11 Jan 2011"
    content = (Path(pair_style.folder) / program.LIBRARY).read_bytes()
    assert len(date) == len(other)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / program.LIBRARY).write_bytes(content.replace(date, other))
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    exports = [line.replace(pair_style.folder, str(tmp_path / "other")) for line in pair_style.exports]
    with pytest.raises(AssertionError, match="built for LAMMPS 11 Jan 2011, this is LAMMPS .*seireact-pair-style"):
        native(dataclasses.replace(pair_style, exports=exports), folder, SINGLE + "run 0\n")


def rewrite(source: Path, target: Path, old: str, new: str, *, torch: str | None) -> None:
    """Copy a compiled model with a word of its metadata, or the torch of its card, changed."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("seireact_card.json"):
                continue
            if name.endswith("_metadata.json"):
                content = content.decode().replace(old, new).encode()
            copy.writestr(name, content)
    if torch is not None:
        write_card_into_compiled(target, {"torch_version": torch})


@pytest.mark.parametrize("ranks", [1, 2])
def test_numbers_that_are_none_stop_the_run_with_their_step(pair_style: PairStyle, folder: Path, ranks: int) -> None:
    atoms = crystal((2, 2, 2))
    atoms.positions[1] = atoms.positions[0]
    write_data(folder / "structure.data", atoms, SPECIES)
    with pytest.raises(AssertionError, match="not numbers at step 0: atoms came too close, or the model is broken"):
        native(pair_style, folder, SINGLE + "run 0\n", ranks)


def test_a_second_build_is_none_and_another_torch_has_a_folder_of_its_own(
    pair_style: PairStyle, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(pair_style.folder).parent
    monkeypatch.setenv("CXX", "absent-compiler")
    assert program.build(root, progress=pytest.fail) == dataclasses.replace(pair_style, is_new=False)
    version = program.importlib.metadata.version
    monkeypatch.setattr(
        program.importlib.metadata, "version", lambda name: "2.99.0" if name == "torch" else version(name)
    )
    other = program.describe(root)
    assert not other.built
    assert other.folder != pair_style.folder
    with pytest.raises(MissingPackage, match=r"no C\+\+ compiler 'absent-compiler' here.*apt-get install g\+\+"):
        program.build(root, progress=lambda line: None)


def test_the_compilers_own_error_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho 'pair_allegro.cpp:1:1: error: no such thing' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(ProgramFailed, match="The compiler failed: pair_allegro.cpp:1:1: error: no such thing"):
        program.build(tmp_path / "built", progress=lambda line: None)
    assert list((tmp_path / "built").rglob("*.so")) == []


def test_a_library_that_lammps_cannot_load_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\nexit 0\n")  # leaves the empty temporary file
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(ProgramFailed, match="LAMMPS with the new pair style failed"):
        program.build(tmp_path / "built", progress=lambda line: None)
    assert list((tmp_path / "built").rglob("*.so")) == []


def test_the_command_prints_what_a_shell_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = CliRunner().invoke(program.main, ["--dry-run", "--into", str(tmp_path)])
    assert done.exit_code == 0
    assert all(line.startswith("export ") for line in done.output.splitlines())
    assert re.search(rf"^export LAMMPS_PLUGIN_PATH={tmp_path}/[0-9a-f]{{16}}$", done.output, re.MULTILINE)
    told = json.loads(CliRunner().invoke(program.main, ["--dry-run", "--json", "--into", str(tmp_path)]).output)
    assert not told["built"]
    assert told["folder"].startswith(str(tmp_path))
    monkeypatch.setenv("CXX", "absent-compiler")
    assert CliRunner().invoke(program.main, ["--into", str(tmp_path)]).exit_code == MissingPackage.exit_status


@pytest.mark.parametrize(("version", "date"), [("2025.7.22.4.0", "22 Jul 2025"), ("2024.8.29", "29 Aug 2024")])
def test_lammps_knows_its_version_by_date(version: str, date: str) -> None:
    assert program.lammps_date(version) == date
