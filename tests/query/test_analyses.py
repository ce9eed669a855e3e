"""Tables of transport and structure, from arrays with known answers; a failed analysis beside them gives none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact import query

from .graph import arrays, chain, ends, job, trajectory

STEPS = [0, 500, 1000]  # of 2 fs: 0, 1, 2 ps
MATRIX = np.array([[2.0, -1.0], [-1.0, 3.0]])


def transport() -> orm.ArrayData:
    """Return displacements and coefficients of two elements, whole and in two slabs of which one is empty."""
    curve = np.array([0.0, 2.0, 4.0])
    nothing = np.full((1, 2), np.nan)
    windows = np.stack([[np.stack([curve, curve / 2])], np.full((1, 2, 3), np.nan)])
    return arrays(
        steps=STEPS, msd_species=["Li"], msd_lag_steps=STEPS, msd_ang2=curve[None, :, None] * [1.0, 1.0, 2.0],
        diffusion_species=["Li"], diffusion_directions=["all", "xy", "z"], diffusion_lag_ps=[0.0, 1.0, 2.0],
        **{f"diffusion_msd_{end}ang2": np.tile(curve * factor, (1, 3, 1))
           for end, factor in (("", 1.0), ("low_", 0.5), ("high_", 2.0))},
        diffusion_cm2_per_s=[[1e-6, 2e-6, 3e-6]], diffusion_error_cm2_per_s=[[1e-7] * 3],
        diffusion_low_cm2_per_s=[[8e-7] * 3], diffusion_high_cm2_per_s=[[4e-6] * 3], diffusion_exponent=[[1.0] * 3],
        diffusion_exponent_error=[[0.1] * 3], diffusion_regime=[["diffusive"] * 3],
        windows_groups=["z 0.00-0.50", "z 0.50-1.00"], windows_z_ang=[5.0, 15.0], windows_species=["Li"],
        windows_directions=["xy", "z"], windows_lag_ps=[0.0, 1.0, 2.0], windows_msd_ang2=windows,
        **{f"windows_diffusion_{end}cm2_per_s": np.stack([np.full((1, 2), 5e-7), nothing])
           for end in ("", "error_", "low_", "high_")},
        windows_regime=np.array([[["diffusive"] * 2], [[""] * 2]]),
        windows_survival=[[1.0, 0.9, 0.8], [np.nan] * 3], windows_returning=[[1.0, 0.95, 0.9], [np.nan] * 3],
        onsager_species=["Li", "S"], onsager_per_ev_ang_ps=MATRIX, onsager_error_per_ev_ang_ps=MATRIX / 10,
        windows_onsager_volume_ang2_per_ev_ps=np.array([[[7.0]], [[np.nan]]]),
        windows_onsager_volume_error_ang2_per_ev_ps=np.array([[[0.7]], [[np.nan]]]),
        jumps_ids=[7, 9], jumps_steps=[0, 500], jumps_z_fraction=[0.25, 0.5],
        jumps_moved_ang=[[3.0, 0.0, 4.0], [0.0, 12.0, -5.0]],
    )  # fmt: skip


def structure() -> orm.ArrayData:
    return arrays(
        steps=STEPS, rdf_pairs=["Li-S"], rdf_r_ang=[1.0, 2.0], rdf_g=[[0.0, 3.0]], xrd_two_theta_deg=[10.0, 20.0],
        xrd_intensity=[50.0, 100.0], clusters_steps=STEPS, clusters_n=[2, 1, 1], clusters_largest=[3, 8, 9],
        clusters_mean_size=[2.5, 8.0, 9.0], clusters_dimension=[0, 1, 1],
        clusters_percolate=[[False] * 3, [True, False, False], [True, False, False]],
        ptm_structures=["other", "bcc"], ptm_steps=STEPS, ptm_fractions=[[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]],
        crystalline_steps=STEPS, crystalline_fraction=[1.0, 0.5, 0.25],
    )  # fmt: skip


def discovery() -> tuple[orm.Dict, orm.ArrayData]:
    """Return what was found of one unknown group, with a region of it."""
    group = {
        "id": "unknown 3",
        "kind": "unknown",
        "name": "Li2S-like",
        "reason": "its neighbours",
        "n_environments": 40,
    }
    group |= {"share_of_all": 0.1, "share_of_interphase": 0.5, "crystallinity": {"value": 0.7}}
    region = {"like": "antifluorite", "name": "Li2S", "reason": "joined", "n_environments": 50, "share_of_all": 0.2}
    region["sulfur"] = {"counted": 0.27, "expected": 0.72**4, "p_value": 0.4}
    metal = {"like": "bcc", "name": "Li", "sulfur": None}
    curves = arrays(
        steps=[0], in_time=[[1]], n_centres=[1], z_edges_ang=[0.0, 1.0], along_z=[[1.0]], all_along_z=[1.0],
        elements=["Li", "S"], r_ang=[1.0, 2.0], rdf=[[[1.0, 2.0], [np.nan, np.nan]]], two_theta_deg=[10.0, 20.0],
        xrd=[[0.5, 1.0]], xrd_nearest=[[np.nan, np.nan]], region_xrd=[[1.0, 0.0], [np.nan] * 2],
        region_xrd_nearest=[[1.0, 0.1], [np.nan] * 2],
    )  # fmt: skip
    return orm.Dict({"groups": [group], "regions": [{**region, "unknown_share": 0.6}, metal], "centre": "Li"}), curves


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    top = chain("ReactWorkChain")
    run = trajectory(STEPS).store()
    told = {"diffusion": {"Li": {"below_cm2_per_s": 9e-6}}}
    found = {"value": 0.01, "error": 0.001, "interval_95": [0.008, 0.012]}
    told["onsager"] = {
        "temperature_k": 600.0,
        "conductivity_s_per_cm": found,
        "haven_ratio": {**found, "interval_95": None},
    }
    ends(job("seireact.analyse", top, "analyse", trajectory=run), analysis=orm.Dict(told), analysis_arrays=transport())
    second = job("seireact.analyse", top, "analyse_2", trajectory=run)
    ends(second, analysis=orm.Dict({"xrd": {"label": None}}), analysis_arrays=structure())
    ends(job("seireact.analyse", top, "analyse_3", trajectory=run), 400, analysis_arrays=transport())
    told_of, curves = discovery()
    ends(job("seireact.classify", top, "classify", trajectory=run), discovery=told_of, discovery_arrays=curves)
    return top


def test_msd_is_the_sum_of_its_directions(study: orm.WorkChainNode) -> None:
    found = query.msd(study)
    whole = found.query("analysis == 'msd'").set_index(["direction", "lag_ps"])["msd_ang2"]
    assert [whole[axis, 2.0] for axis in ("x", "y", "z", "all")] == [4.0, 4.0, 8.0, 16.0]
    band = found.query("analysis == 'diffusion' and direction == 'xy'")
    assert band[["lag_ps", "low_ang2", "msd_ang2", "high_ang2"]].to_numpy().tolist()[1] == [1.0, 1.0, 2.0, 4.0]
    windows = found.query("analysis == 'windows'")
    assert windows["group"].unique().tolist() == ["z 0.00-0.50"]
    assert windows["z_ang"].unique().tolist() == [5.0]
    assert windows.query("direction == 'z'")["msd_ang2"].tolist() == [0.0, 1.0, 2.0]
    assert set(found["path"]) == {"analyse"}


def test_diffusion_has_intervals_and_bounds(study: orm.WorkChainNode) -> None:
    found = query.diffusion(study)
    whole = found.query("analysis == 'diffusion'").set_index("direction")
    assert whole["d_cm2_per_s"].to_dict() == {"all": 1e-6, "xy": 2e-6, "z": 3e-6}
    assert whole.loc["all", "below_cm2_per_s"] == 9e-6
    assert np.isnan(whole.loc["z", "below_cm2_per_s"])
    assert set(whole["regime"]) == {"diffusive"}
    assert found.query("analysis == 'windows'")["d_cm2_per_s"].tolist() == [5e-7, 5e-7]


def test_onsager_has_every_pair_and_its_unit(study: orm.WorkChainNode) -> None:
    found = query.onsager(study)
    whole = found.query("analysis == 'onsager'").set_index(["species", "other"])
    assert whole.loc[("Li", "S"), "value"] == -1.0
    assert whole.loc[("S", "S"), "error"] == pytest.approx(0.3)
    assert found.query("analysis == 'windows'")[["value", "unit"]].to_numpy().tolist() == [[7.0, "Å²/(eV ps)"]]


def test_conductivity_and_survival(study: orm.WorkChainNode) -> None:
    found = query.conductivity(study).set_index("quantity")
    assert found.loc["conductivity", ["value", "low", "high", "temperature_k"]].tolist() == [0.01, 0.008, 0.012, 600.0]
    assert np.isnan(found.loc["Haven ratio", "low"])
    assert query.survival(study)["staying"].tolist() == [1.0, 0.9, 0.8]


def test_rdf_and_xrd_are_of_the_run_and_of_what_was_found(study: orm.WorkChainNode) -> None:
    found = query.rdf(study)
    assert found.query("of == 'all'")["g"].tolist() == [0.0, 3.0]
    assert found.query("of == 'unknown 3'")["pair"].unique().tolist() == ["Li-Li"]
    patterns = query.xrd(study).groupby(["of", "pattern"])["intensity"].max()
    assert patterns.to_dict() == {
        ("all", "found"): 100.0, ("unknown 3", "found"): 100.0, ("antifluorite region", "found"): 100.0,
        ("antifluorite region", "nearest"): 100.0,
    }  # fmt: skip
    assert query.groups(study)["suggested_name"].tolist() == ["Li2S-like", "Li2S", "Li"]


def test_sulfur_of_a_region_lies_beside_chance(study: orm.WorkChainNode) -> None:
    (row,) = query.sulfur(study).to_dict("records")
    assert (row["region"], row["suggested_name"], row["counted"]) == ("antifluorite region", "Li2S", 0.27)
    # 0.72⁴ of the Li of a random mixture of the paper's composition have four S.
    assert (row["expected"], row["p_value"]) == (pytest.approx(0.269, abs=5e-4), 0.4)


def test_far_movers_begin_where_they_were_and_are_told_by_their_distance(study: orm.WorkChainNode) -> None:
    found = query.far_movers(study)[["atom_id", "step", "time_ps", "z_fraction", "moved_ang"]]
    assert found.to_numpy().tolist() == [[7, 0, 0.0, 0.25, 5.0], [9, 500, 1.0, 0.5, 13.0]]


def test_clusters_and_templates_are_in_time(study: orm.WorkChainNode) -> None:
    found = query.clusters(study)
    assert found["largest_atoms"].tolist() == [3, 8, 9]
    assert found["percolates_a"].tolist() == [False, True, True]
    assert found["time_ps"].tolist() == [0.0, 1.0, 2.0]
    shares = query.templates(study).query("step == 500").set_index(["of", "kind"])["fraction"]
    assert shares.to_dict() == {
        ("ptm", "other"): 0.5, ("ptm", "bcc"): 0.5, ("order", "crystalline"): 0.5, ("order", "amorphous"): 0.5,
    }  # fmt: skip
