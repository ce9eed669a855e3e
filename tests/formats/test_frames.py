from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact.formats.frames import Frames, FramesError


def test_frames_come_back_from_npz_bit_for_bit(labelled, tmp_path):
    frames = labelled(5)
    frames.save(tmp_path / "frames.npz")
    again = Frames.load(tmp_path / "frames.npz")
    assert again.content_hash == frames.content_hash
    assert np.array_equal(again.forces, frames.forces)
    assert again.settings_hash == frames.settings_hash


def test_same_frames_make_the_same_file(labelled, tmp_path):
    labelled(3).save(tmp_path / "one.npz")
    labelled(3).save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_ase_and_back_keeps_labels_and_origin(labelled):
    frames = labelled(3)
    again = Frames.from_atoms(list(frames.iter_atoms()), settings_hash=frames.settings_hash)
    assert again.frame_ids == frames.frame_ids
    assert again.group.tolist() == frames.group.tolist()


def test_structure_id_knows_geometry_only(labelled):
    frames = labelled(2)
    assert frames.without_labels().structure_ids == frames.structure_ids
    assert frames.without_labels().frame_ids == frames.structure_ids
    assert frames.frame_ids != frames.structure_ids


def test_frame_id_depends_on_the_settings_of_its_label(labelled):
    assert labelled(1, settings_hash="a" * 64).frame_ids != labelled(1, settings_hash="b" * 64).frame_ids


def test_negative_zero_is_zero():
    one, two = (Atoms("Li", positions=[[zero, 0, 0]], cell=[3, 3, 3], pbc=True) for zero in (0.0, -0.0))
    assert Frames.from_atoms([one]).structure_ids == Frames.from_atoms([two]).structure_ids


def test_a_moved_atom_changes_the_structure_id(labelled):
    frames = labelled(1)
    moved = frames.to_atoms(0)
    moved.positions[1, 2] += 1e-9
    assert Frames.from_atoms([moved], labels="ignore").structure_ids != frames.structure_ids


def test_select_and_concatenate_are_inverse(labelled):
    frames = labelled(5)
    parts = [frames.select([0, 1]), frames.select([2, 3, 4])]
    assert Frames.concatenate(parts).content_hash == frames.content_hash
    assert frames.select([3]).frame_ids == [frames.frame_ids[3]]


def test_two_levels_of_theory_are_not_joined(labelled):
    with pytest.raises(FramesError, match="one level of theory"):
        Frames.concatenate([labelled(1), labelled(1, settings_hash="b" * 64)])


def test_label_all_or_none(labelled_atoms):
    images = labelled_atoms(2)
    images[1].calc = None
    with pytest.raises(FramesError, match="Frame 1 has no label"):
        Frames.from_atoms(images)


def test_labels_without_stress_are_refused(labelled_atoms):
    images = labelled_atoms(2)
    del images[0].calc.results["stress"]
    with pytest.raises(FramesError, match="Frame 0 has no energy, forces and stress"):
        Frames.from_atoms(images, labels="required")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda atoms: atoms.symbols.__setitem__(0, "In"), "holds In, but only Li, S are known"),
        (lambda atoms: atoms.positions.__setitem__(1, atoms.positions[0] + [0.3, 0, 0]), "0.30 Å apart"),
        (lambda atoms: atoms.set_pbc([True, True, False]), "not periodic in all directions"),
        (lambda atoms: atoms.positions.__setitem__((0, 0), np.nan), "NaN or infinite positions"),
        (lambda atoms: atoms.set_cell(np.zeros((3, 3))), "cell without volume"),
    ],
)
def test_broken_frames_are_named(spoil, message):
    good, bad = (bulk("Li2S", "fluorite", a=5.71) for _ in range(2))
    spoil(bad)
    frames = Frames.from_atoms([good, bad])
    with pytest.raises(FramesError, match=f"Frame 1.*{message}"):
        frames.validate(species=["Li", "S"])


def test_a_truncated_file_is_refused(labelled, tmp_path):
    path = tmp_path / "frames.npz"
    labelled(4).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FramesError, match="not a whole frames file"):
        Frames.load(path)


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "frames.npz"
    np.savez(path, positions=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FramesError, match="not a whole frames file"):
        Frames.load(path)


class TestWithoutStress:
    """Some engines give no stress worth keeping; their labels are labels all the same."""

    @staticmethod
    def images(count: int = 2) -> list[Atoms]:
        images = [bulk("Li", "bcc", a=3.42 + index, cubic=True) for index in range(count)]
        for index, image in enumerate(images):
            image.calc = SinglePointCalculator(image, energy=-1.0 - index, forces=np.full((2, 3), 0.1))
        return images

    def test_energy_and_forces_are_a_label(self, tmp_path: Path) -> None:
        frames = Frames.from_atoms(self.images(), settings_hash="abc")
        assert frames.is_labelled
        assert not frames.has_stress
        assert frames.frame_ids != frames.structure_ids
        frames.save(tmp_path / "frames.npz")
        assert Frames.load(tmp_path / "frames.npz").frame_ids == frames.frame_ids
        assert "stress" not in frames.to_atoms(0).calc.results
        assert Frames.concatenate([frames.select([0]), frames.select([1])]).frame_ids == frames.frame_ids

    def test_a_stress_of_some_frames_only_is_refused(self) -> None:
        images = self.images()
        images[0].calc.results["stress"] = np.zeros(6)
        with pytest.raises(FramesError, match="Frame 1 has no stress while others have one"):
            Frames.from_atoms(images)

    def test_who_needs_a_stress_is_told(self) -> None:
        with pytest.raises(FramesError, match="Frame 0 has no energy, forces and stress"):
            Frames.from_atoms(self.images(), labels="required")
