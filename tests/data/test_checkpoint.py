from __future__ import annotations

import io

import pytest
from aiida.common.exceptions import ValidationError

from aiida_seireact.data.checkpoint import CheckpointData
from aiida_seireact.formats.checkpoint import CheckpointError
from tests.checkpoints import checkpoint_file, curve, lightning_checkpoint


def test_two_files_of_one_state_are_one_checkpoint_to_the_cache(tmp_path, aiida_profile_clean):
    from aiida_seireact.formats.checkpoint import write_checkpoint

    nodes = []
    for where, weights in (("/scratch/1", b"w"), ("/scratch/2", b"w"), ("/scratch/1", b"other")):
        ckpt = lightning_checkpoint(tmp_path / "last.ckpt", 1, weights, where)
        write_checkpoint(tmp_path / "checkpoint.zip", ckpt, ckpt, curve(2.0, 1.0), {})
        nodes.append(CheckpointData.of_file(tmp_path / "checkpoint.zip").store())
    one, two, other = (node.base.caching.get_hash() for node in nodes)
    assert one == two != other
    assert nodes[0].get_content(mode="rb") != nodes[1].get_content(mode="rb")


def test_a_checkpoint_tells_where_it_stands(tmp_path, aiida_profile_clean):
    node = CheckpointData.of_file(checkpoint_file(tmp_path, 3.0, 1.0, 2.0)).store()
    assert node.epoch == 2
    assert node.base.attributes.get("best_total") == 1.0


def test_what_was_not_looked_at_is_no_checkpoint(tmp_path, aiida_profile_clean):
    with pytest.raises(ValidationError, match=r"make it by CheckpointData\.of_file"):
        CheckpointData(io.BytesIO(b"zip")).store()
    (tmp_path / "checkpoint.zip").write_bytes(b"zip")
    with pytest.raises(CheckpointError, match="torn"):
        CheckpointData.of_file(tmp_path / "checkpoint.zip")
