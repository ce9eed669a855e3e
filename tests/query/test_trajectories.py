"""What coats a stack is told by what lies beside it, not by how often a phase comes."""

from __future__ import annotations

import pytest

from aiida_seireact.query.trajectories import coating_in


@pytest.mark.parametrize(
    ("stack", "coating"),
    [
        ("Li6PS5Cl Li2S Li Li2S", "Li2S"),
        ("Li Li2S Li6PS5Cl Li2S Li", "Li2S"),  # lithium below and above is one, across the cell's boundary
        ("Li2S Li Li2S Li6PS5Cl", "Li2S"),
        ("Li2S Li2S Li Li2S Li6PS5Cl Li2S", "Li2S"),  # the coating across the boundary, in three slabs
        ("Li LiF Li2S Li6PS5Cl Li2S LiF", "Li2S + LiF"),
        ("Li LiF Li6PS5Cl LiF Li LiF Li6PS5Cl LiF", "LiF"),
        ("Li Li6PS5Cl", "bare"),
        ("Li Li6PS5Cl Li", "bare"),
        ("Li Li6PS5Cl Li Li6PS5Cl", "bare"),
        ("Li6PS5Cl Li6PS5Cl", "bare"),  # a grain boundary
        ("Li Li6PS5Cl Li6PS5Cl", "bare"),
        ("Li LiF Li6PS5Cl", "bare"),  # on one side only
        ("Li LiF Li6PS5Cl LiF Li LiF", "bare"),  # an LiF of it lies within the lithium
        ("Li6PS5Cl", "bare"),
    ],
)  # fmt: skip
def test_a_coating_lies_between_two_other_phases_wherever_it_is(stack: str, coating: str) -> None:
    assert coating_in([{"phase": phase} for phase in stack.split()]) == coating
