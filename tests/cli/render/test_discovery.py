"""What is told of unknown clusters says of what a share is, why a name is suggested, and what chance explains."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from matplotlib.figure import Figure

from aiida_seireact.cli.render import discovery, figures_discovery
from aiida_seireact.formats.discovery import DiscoveryCurves

NEAR = [{"name": "Li2S", "value": 0.95, "stretch": 1.01}]


def group(name: str, kind: str, share: float, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "kind": kind, "cluster": 3 if kind == "unknown" else None, "n_environments": int(1000 * share),
        "share_of_all": share, "share_of_interphase": None if name == "Li" else 2 * share, "first_step": 2000,
        "half_step": 3000, "most_step": 5000, "n_looked_at": 100, "name": f"{name} <named>", "reason": "composition so",
        "structure_type": "antifluorite", "composition": {"Li": 20.0, "S": 7.0, "Cl": 3.0}, "formula": "Li2S0.7Cl0.3",
        "anion_shells": {"ClS3": 0.9, "S4": 0.1}, "coordination": {}, "tetrahedrality": 0.9,
        "crystallinity": {"value": 0.66, "n_centres": 40}, "nearest_by_distances": NEAR, "nearest_by_diffraction": NEAR,
        **more,
    }  # fmt: skip


def found(p_value: float = 0.4) -> dict[str, Any]:
    sulfur = {
        "n_centres": 500, "n_anions": 256, "share": 0.72, "expected": 0.2687, "expected_exact": 0.26, "counted": 0.27,
        "joins": 10, "joins_at_random": 9.0, "joins_spread": 2.0, "p_value": p_value, "n_permutations": 999,
    }  # fmt: skip
    return {
        "centre": "Li", "n_frames_looked_at": 5, "steps_looked_at": [0, 5000], "shares_from_step": 4000,
        "interphase": "all Li but those labelled Li", "cutoffs_ang": {}, "crystallinity_is": "order",
        "groups": [
            group("cluster 3", "unknown", 0.3),
            {"id": "cluster 4", "kind": "unknown", "cluster": 4, "n_environments": 3, "share_of_all": 0.003,
             "share_of_interphase": 0.006, "first_step": 1, "half_step": 1, "most_step": 1, "n_looked_at": 0,
             "name": None, "reason": "fewer than 20 in the frames looked at"},
            group("Li", "known", 0.5),
            group("beyond Li", "gated", 0.0),
        ],
        "regions": [
            {**group("", "unknown", 0.5), "groups": ["cluster 3", "Li2S"], "step": 5000, "unknown_share": 0.7,
             "like": "antifluorite",
             "unknown_clusters": [3], "sulfur": sulfur},
        ],
    }  # fmt: skip


def curves() -> DiscoveryCurves:
    steps, angles = np.arange(6) * 1000, np.linspace(15, 70, 200)
    peaks = np.exp(-((angles - 27) ** 2))
    return DiscoveryCurves(
        steps=steps, in_time=np.tile(np.arange(6), (4, 1)), n_centres=np.full(6, 24),
        z_edges_ang=np.linspace(0, 20, 11), along_z=np.ones((4, 10)), all_along_z=np.full(10, 4.0),
        elements=np.array(["Li", "P", "S"]), r_ang=np.linspace(0, 8, 160), rdf=np.ones((4, 3, 160)),
        two_theta_deg=angles, xrd=np.tile(peaks, (4, 1)), xrd_nearest=np.full((4, 200), np.nan),
        region_xrd=peaks[None], region_xrd_nearest=peaks[None],
    )  # fmt: skip


def texts(figure: Figure) -> str:
    return " ".join(item.get_text() for item in figure.findobj(lambda item: hasattr(item, "get_text")))


def test_terminal_says_what_beyond_a_gate_means_and_why_it_has_its_name() -> None:
    told = discovery.discovery_text({**found(), "groups": [group("beyond Li", "gated", 0.1)]})
    assert "beyond X: in a cluster named X, yet farther from its references than the gate `point`" in told
    assert "beyond Li: composition so" in told


def test_terminal_tells_chance_also_after_new_names() -> None:
    told = discovery.regions_before_text(found()["regions"], "Li")
    assert "50.0 % of all Li at step 5000" in told.replace("\u202f", " ")
    assert "x_S⁴ = 26.9" in told
    assert "scattered as in a random mixture" in told
    assert "aiida-seireact classify TRAJECTORY --classifier" in told


def test_terminal_tells_shares_names_and_chance() -> None:
    told = discovery.discovery_text(found())
    assert "interphase: all Li but those labelled Li" in told
    row = next(line for line in told.splitlines() if line.startswith("cluster 3 "))
    for words in ("30.0", "60.0", "0.66", "cluster 3 <named>"):
        assert words in row
    assert "(fewer than 20 in the frames looked at)" in told
    assert "beyond" not in told  # holds nothing
    assert "x_S⁴ = 26.9" in told
    assert "scattered as in a random mixture" in told
    assert "cluster 3: composition so" in told


@pytest.mark.parametrize(("p_value", "words"), [(0.001, "Li2S segregates"), (0.5, "no domains"), (0.999, "ordered")])
def test_the_test_is_put_into_words(p_value: float, words: str) -> None:
    assert words in discovery.together(found(p_value)["regions"][0]["sulfur"])


def test_section_has_a_row_for_each_group_and_a_page_for_each_unknown_one() -> None:
    html = str(discovery.discovery_section(found(), curves()))
    assert html.count("<details") == 1
    assert html.count("<svg") == 2
    assert "cluster 3 &lt;named&gt;" in html
    assert "<named>" not in html
    assert html.count("<tr") == 4  # head, two unknown, one known
    fromstring(f"<div>{html.replace('<details open>', '<details>').replace('&nbsp;', ' ')}</div>")


def test_pages_show_what_they_are_given() -> None:
    item = found()["groups"][0]
    told = texts(figures_discovery.group_page(item, curves(), 0))
    for words in ("cluster 3: cluster 3 <named>", "crystallinity 0.66", "2.00", "0.70", "appearance in time"):
        assert words in told
    region = texts(figures_discovery.region_page(found()["regions"][0], curves(), 0))
    assert "27.0" in region
    assert "26.9" in region
    assert "Li2S, lattice × 1.01, r = 0.95" in region
    without = {**found()["regions"][0], "sulfur": None}
    assert "x$_S^4$" not in texts(figures_discovery.region_page(without, curves(), 0))


def test_a_run_without_its_thickness_is_read(aiida_profile: Any) -> None:
    """A study may leave any analysis out."""
    from aiida import orm

    from aiida_seireact.cli.render.runs import Run, _read_analysis

    arrays = orm.ArrayData({"steps": np.arange(3), "smallest_distance_ang": np.ones(3)})

    class Found:
        def find(self, name: str, part: str) -> Any:
            return {"analysis": orm.Dict({}), "analysis_arrays": arrays}[name]

    run = Run()
    run.facts = {"timestep_fs": 2.0}
    _read_analysis(run, Found(), "")  # type: ignore[arg-type]
    assert not run.has_ps4
