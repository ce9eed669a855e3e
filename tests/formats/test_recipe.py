"""The recipe of a cell: what it refuses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from aiida_seireact.formats.recipe import SlabRecipe


def test_a_supercell_without_area_is_refused():
    with pytest.raises(ValidationError, match=r"rows of matrix \[\[1, 0\], \[1, 0\]\] are parallel"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "matrix": [[1, 0], [1, 0]]})


def test_a_height_is_told_once():
    with pytest.raises(ValidationError, match="give one of them"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "layers": 4, "cells": 2})
