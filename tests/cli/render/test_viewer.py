"""What the page's 3D view is given."""

from __future__ import annotations

import numpy as np

from aiida_seireact.cli.render.runs import Moment, front, wrapped
from aiida_seireact.cli.render.viewer import scene_of


def test_scene_turns_the_cell_so_that_z_runs_to_the_right() -> None:
    moment = Moment(
        positions=np.array([[1.0, 2.0, 3.0], [0.5, 0.5, 0.5]]),
        symbols=np.array(["Li", "S"]),
        cell=np.diag([4.0, 5.0, 9.0]),
        phases=np.array(["Li2S", ""]),
        n_atoms=7,
    )
    scene = scene_of({"end": moment})
    (drawn,) = scene["moments"]
    assert drawn["xyz"][:3] == [3.0, 1.0, 2.0]
    assert sorted(np.abs(drawn["cell"]).max(axis=0)) == [4.0, 5.0, 9.0]
    assert np.abs(drawn["cell"])[:, 0].max() == 9.0
    assert [scene["kinds"][kind]["name"] for kind in drawn["kind"]] == ["Li in Li2S", "S"]
    assert (drawn["shown"], drawn["atoms"]) == (2, 7)


def test_of_a_large_cell_the_front_along_y_is_shown() -> None:
    positions = np.array([[0.0, 3.0, 0], [0, 1, 0], [0, 2, 0], [0, 4, 0]])
    assert front(positions, 2).tolist() == [False, True, True, False]
    assert front(positions, 9).all()


def test_atoms_that_have_left_the_cell_come_back() -> None:
    assert np.allclose(wrapped(np.array([[-1.0, 6.0, 4.0]]), np.diag([4.0, 5.0, 8.0])), [[3.0, 1.0, 4.0]])
