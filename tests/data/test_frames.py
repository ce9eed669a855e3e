from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import FramesError


def test_frames_survive_storing_bit_for_bit(labelled, aiida_profile_clean):
    frames = labelled(3)
    node = orm.load_node(FramesData(frames).store().pk)
    assert node.frames.frame_ids == frames.frame_ids
    assert [len(atoms) for atoms in node.iter_ase()] == [3, 3, 3]
    assert node.to_ase(1).get_potential_energy() == frames.energy[1]


def test_attributes_answer_queries(labelled, aiida_profile_clean):
    FramesData(labelled(3)).store()
    query = orm.QueryBuilder().append(FramesData, filters={"attributes.config_types.Li2S": {">=": 3}})
    assert query.count() == 1
    node = query.first(flat=True)
    assert node.base.attributes.get("species") == ["Li", "S"]
    assert node.base.attributes.get("formulas") == ["Li2S"]


def test_equal_content_has_an_equal_node_hash(labelled, aiida_profile_clean):
    one, two = (FramesData(labelled(3)).store() for _ in range(2))
    assert one.uuid != two.uuid
    assert one.base.caching.get_hash() == two.base.caching.get_hash()


def test_overlapping_atoms_are_refused_on_construction(labelled_atoms, aiida_profile_clean):
    atoms = labelled_atoms(1)[0]
    atoms.positions[1] = atoms.positions[0] + [0.1, 0, 0]
    with pytest.raises(FramesError, match="0.10 Å apart"):
        FramesData.from_ase([atoms])


def test_tampered_content_is_not_stored(labelled, aiida_profile_clean):
    node = FramesData(labelled(3))
    node.set_array("positions", node.get_array("positions") + 0.01)
    with pytest.raises(ValidationError, match="does not belong to its content hash"):
        node.store()
