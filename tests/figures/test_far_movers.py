"""How far an atom went is the length of its way, which the analysis keeps as a vector."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from aiida_seireact.figures import entries_transport


def test_far_movers_are_told_by_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {
        "jumps_ids": np.array([3, 8]),
        "jumps_steps": np.array([0, 50]),
        "jumps_z_fraction": np.array([0.25, 0.5]),
        "jumps_moved_ang": np.array([[3.0, 0.0, 4.0], [0.0, 12.0, -5.0]]),
    }
    found = SimpleNamespace(arrays=arrays, columns=dict, times_ps=lambda steps: np.asarray(steps) * 0.002)
    monkeypatch.setattr(entries_transport, "analyses_in", lambda graph, names: [found])
    monkeypatch.setattr(entries_transport, "Graph", lambda what: what)
    told = entries_transport.far_movers(1)
    assert told["moved_ang"].tolist() == [5.0, 13.0]
    assert told["atom_id"].tolist() == [3, 8]
    assert told["time_ps"].tolist() == [0.0, 0.1]
