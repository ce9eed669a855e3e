"""The recipe of a cell: what it refuses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.recipe import PhaseRecipe, Recipe, SlabRecipe


def test_a_supercell_without_area_is_refused():
    with pytest.raises(ValidationError, match=r"rows of matrix \[\[1, 0\], \[1, 0\]\] are parallel"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "matrix": [[1, 0], [1, 0]]})


def test_a_height_is_told_once():
    with pytest.raises(ValidationError, match="give one of them"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "layers": 4, "cells": 2})


def test_in_plane_vectors_without_area_are_refused():
    with pytest.raises(ValidationError, match="parallel and span no plane"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "in_plane": [[0, 1, 0], [0, 2, 0]]})


@pytest.mark.parametrize("value", [0, -5, float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["lattice", "thickness_ang", "gaps_ang", "max_strain"])
def test_a_length_that_is_none_is_refused_before_a_crystal_is_made(key: str, value: float):
    """spglib dies of a lattice that is no number, and takes the process with it."""
    phase = {"name": "Li", **({"lattice": {"a": value}} if key == "lattice" else {})}
    slab = {"phase": "Li", "hkl": [1, 0, 0], **({"thickness_ang": value} if key == "thickness_ang" else {})}
    more = {"gaps_ang": {"gaps_ang": value}, "max_strain": {"match": {"max_strain": value}}}.get(key, {})
    with pytest.raises(InvalidInput, match=key):
        Recipe.read({"phases": {"Li": phase}, "slabs": [slab], **more})


@pytest.mark.parametrize("shares", [{"Cl": 1.4}, {"Cl": 0.7, "S": 0.5}, {"Cl": -0.1}, {"Cl": float("nan")}])
def test_shares_of_a_site_that_are_none_are_refused(shares: dict[str, float]):
    with pytest.raises(ValidationError, match="the shares of X1 .* are not those of one site"):
        PhaseRecipe.model_validate({"name": "Li6PS5Cl", "occupancies": {"X1": shares}})
