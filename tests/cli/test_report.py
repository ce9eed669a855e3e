"""The report of finished, running and failed processes, from graphs linked by hand."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from aiida import orm
from click.testing import CliRunner

from aiida_seireact.cli.render.gather import gather
from aiida_seireact.cli.render.html import render_html
from aiida_seireact.cli.render.sources import value_at
from aiida_seireact.cli.render.summary import summary_of
from aiida_seireact.cli.report import key_numbers, report, write_report

from .conftest import add_job, call, finish, workchain
from .report_graph import FRACTIONS, finished_study, seal

ASKED_KEYS = {
    *(
        "react_pk",
        "react_uuid",
        "exit_status",
        "n_processes",
        "n_failed_processes",
        "wall_seconds_by_stage",
        "versions",
    ),
    *("n_label_calls", "n_frames", "frames_by_type", "dataset_hash", "model_hash", "errors_by_type"),
    *("energy_rmse_mev_per_atom", "force_rmse_ev_per_ang", "force_rms_ev_per_ang", "stress_rmse_gpa"),
    *("n_flare_legs", "flare_label_steps", "canary_force_rmse", "n_augmented_frames"),
    *("augmented_force_rmse_before", "augmented_force_rmse_after"),
    *("md_steps", "md_atoms", "ps4_intact_start", "ps4_intact_end", "phase_fractions", "production_stopped_by"),
}


class Page(HTMLParser):
    """What a browser would fetch, and the ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "poster", "action") and value:
                self.links.append(value)
            if name == "id" and value:
                self.ids.append(value)


@pytest.fixture(scope="module")
def finished(study):
    return finished_study(study)


# ---------------------------------------------------------------------------------------------- finished
def test_summary_has_every_key_asked_for_and_its_numbers_from_the_summary_node(finished):
    summary = summary_of(gather(finished))
    assert set(summary) >= ASKED_KEYS
    assert summary["react_pk"] == finished.pk
    assert summary["react_uuid"] == finished.uuid
    assert summary["exit_status"] == 0
    assert summary["n_label_calls"] == 1248
    assert summary["phase_fractions"] == FRACTIONS
    assert summary["production_stopped_by"]["rule"] == "volume"
    assert summary["n_failed_processes"] == 0
    assert summary["n_processes"] == len(gather(finished).processes)
    assert {"total", "label", "train", "produce", "summary"} <= set(summary["wall_seconds_by_stage"])
    assert summary["versions"]["LabelCalculation"]["chgnet"] == "0.4.2"
    json.dumps(summary, allow_nan=False)


def test_what_is_drawn_comes_from_labels_dump_and_analysis(finished):
    data = gather(finished)
    times, shares, of = data.run.fractions
    assert times == pytest.approx([0.1, 0.2])
    assert of == FRACTIONS["of"]
    assert {name: values.tolist() for name, values in shares.items()} == {
        "Li": [0.5, 0.5],
        "Li2S": [0.5, 0.0],
        "unknown": [0.0, 0.5],
    }
    z, panels, _ = data.run.profile
    assert z == pytest.approx([1, 3, 5, 7])
    assert panels["start"]["Li"].tolist() == [1, 0, 0, 0]
    assert panels["end"]["unknown"].tolist() == [0, 0, 0, 1]
    assert list(data.run.picture) == ["start, 0.1 ps", "end, 0.2 ps"]
    assert data.run.picture["start, 0.1 ps"].phases.tolist() == ["Li", "Li2S", ""]
    assert data.run.picture["end, 0.2 ps"].symbols.tolist() == ["Li", "Li", "S"]
    assert data.run.ps4[1].tolist() == [16, 4, 1]
    assert [len(values) for values in data.run.thickness[1].values()] == [3, 3]
    assert data.run.displacements[1]["Li"].tolist() == [3.0] * 4
    assert data.missing == {}


def test_page_tells_the_story_with_its_numbers(finished):
    text = render_html(gather(finished))
    plain = unescape(re.sub(r"<[^>]+>", "", text)).replace("\u202f", " ")
    for words in (
        "Labels by a universal potential: the loop is real, the numbers are CHGNet's, not DFT.",
        "1 248",
        "16 → 1",
        "30 %",
        "The production run was ended by its stop rule:",
        "the volume is 1.40 times that of the start (limit 1.35)",
        "the SCF did not converge",
        "fractions of Li environments of all Li\n",
        "17 labelled frames were left out",
        f"verdi process show {finished.pk}",
    ):
        assert words in plain, words
    for title in ("Label", "Learn", "Produce", "Recognise"):
        assert re.search(rf"<h2[^>]*>.*{title}</h2>", text)


def test_page_fetches_nothing_escapes_names_and_gives_every_figure_words(finished, tmp_path):
    write_report(finished, tmp_path, formats=("svg",))
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    beside = [link for link in page.links if link.startswith("figures/")]
    assert beside
    assert all((tmp_path / link).is_file() for link in beside)
    allowed = ("#", "data:image/", "https://arxiv.org/", "https://doi.org/", "figures/")
    assert [link for link in page.links if not link.startswith(allowed)] == []
    assert "link" not in page.tags
    assert "@import" not in text
    assert "url(" not in text.replace("url(#", "")
    assert len(page.ids) == len(set(page.ids))
    # Every figure of the gallery, the loop and the cell.
    assert text.count("<svg") == len(re.findall("data-plot=", text)) + 2 > 8
    assert len(re.findall(r'<svg[^>]*role="img"[^>]*aria-label="[^"]{20,}', text)) == text.count("<svg")
    assert "<b>odd</b>" not in text
    for needed in ("currentColor", 'name="viewport"', "prefers-color-scheme: dark"):
        assert needed in text


def test_command_writes_page_numbers_and_figures_and_prints_the_numbers(finished, tmp_path):
    options = ["--output", str(tmp_path / "new"), "--format", "svg"]
    result = CliRunner().invoke(report, [str(finished.pk), *options], catch_exceptions=False)
    assert result.exit_code == 0
    assert "force error 0.12 eV/Å, 30" in result.output
    assert "ENDED BY THE STOP RULE" in result.output
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"report.html", "summary.json", "figures"}
    drawn = {path.name for path in (tmp_path / "new" / "figures").iterdir()}
    assert {"ps4.svg", "ps4.csv", "ps4.sources.json"} <= drawn
    assert "ps4.pdf" not in drawn
    assert json.loads((tmp_path / "new" / "summary.json").read_text())["react_pk"] == finished.pk
    assert json.loads(json.dumps(summary_of(gather(finished)))) == json.loads(
        (tmp_path / "new" / "summary.json").read_text()
    )


# ---------------------------------------------------------------------------------------------- not finished
def test_running_process_shows_what_is_there_and_why_the_rest_is_not(study, tmp_path: Path):
    data, _ = write_report(study.top, tmp_path, formats=())
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["exit_status"] is None
    assert summary["n_frames"] == 4
    assert summary["dataset_hash"] == study.dataset.content_hash
    assert summary["md_steps"] is None
    assert "stage train is not over" in summary["missing"]["potential"]
    assert summary["missing"]["trajectory"] == "stage produce has not begun"
    assert set(summary) >= ASKED_KEYS
    assert "shows what is there so far" in (tmp_path / "report.html").read_text()
    assert not data.is_over


def test_failed_process_says_why_at_the_top(aiida_profile):
    top = workchain("ReactWorkChain")
    produce = workchain("ProduceWorkChain", top, "produce")
    job = add_job("lmp", "seireact.lammps", produce, "iteration_01")
    finish(job, 420, "The program failed: lost atoms")
    finish(produce, 430, "LammpsCalculation can't go on: lost atoms")
    finish(top, 460, "Stage produce failed: lost atoms")
    seal(job, produce, top)
    data = gather(top)
    text = render_html(data)
    assert "Why it ended:" in text
    assert "Stage produce failed: lost atoms" in text
    assert "stage produce failed in ProduceWorkChain" in data.missing["trajectory"]
    assert data.missing["labels"] == "stage classify was not reached"
    assert summary_of(data)["n_failed_processes"] == 3
    assert any("reason" in line for line in key_numbers(data))


def test_debris_of_a_crash_counts_neither_as_process_nor_as_failure(aiida_profile):
    top = workchain("ReactWorkChain")
    debris = orm.CalcFunctionNode()
    debris.set_process_label("make_dataset")
    call(top, debris, "dataset")
    debris.store()
    finish(top)
    seal(top)
    summary = summary_of(gather(top))
    assert summary["n_processes"] == 1
    assert summary["n_failed_processes"] == 0


def test_electrolyte_that_was_not_recognised_is_told(finished):
    data = gather(finished)
    assert "No lithium was recognised" not in render_html(data)
    data.content["phase_fractions"]["first"]["Li6PS5Cl"] = 0.0
    assert "No lithium was recognised as Li6PS5Cl even at the start, when 16 PS" in render_html(data)


def test_labeller_that_is_a_dft_engine_gets_no_such_sentence(study):
    data = gather(study.top)
    data.content["labeller"] = "espresso"
    assert "not DFT" not in render_html(data)


# ---------------------------------------------------------------------------------------------- several, and troubles
def test_two_runs_lie_beside_each_other(finished, study, tmp_path):
    arguments = [str(finished.pk), str(study.top.pk), "-o", str(tmp_path), "--no-figures"]
    result = CliRunner().invoke(report, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(summary["runs"]) == {str(finished.pk), str(study.top.pk)}
    one = summary_of(gather(finished))
    assert summary["runs"][str(finished.pk)]["md_steps"] == one["md_steps"] == 100
    assert summary["sources"][f"runs.{finished.pk}.md_steps"] == one["sources"]["md_steps"]
    text = (tmp_path / "report.html").read_text()
    assert f'data-key="runs.{finished.pk}.md_steps"' in text
    assert "is under way for" in text
    assert 'data-plot="ps4"' in text
    assert not (tmp_path / "figures").exists()


def test_every_number_of_a_card_is_the_one_its_node_holds(finished):
    data = gather(finished)
    text = render_html(data)
    summary = summary_of(data)
    found = re.findall(r'<b data-uuid="([^"]+)" data-path="([^"]+)" data-key="([^"]+)"', text)
    assert {key for _, _, key in found} >= {"n_frames", "md_atoms", "ps4_intact_end", "force_rmse_ev_per_ang"}
    for uuid, path, key in found:
        assert summary["sources"][key] == {"uuid": uuid, "path": path, "is_value": key != "n_label_calls"}
        if key not in ("n_label_calls", "n_frames"):  # the toy's summary tells of more frames than its dataset has
            assert value_at(orm.load_node(uuid).base.attributes.all, path) == value_at(summary, key)


def test_full_disk_gets_a_sentence(finished, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "report.html"))

    monkeypatch.setattr("aiida_seireact.formats.atomic.write_json", full)
    result = CliRunner().invoke(report, [str(finished.pk), "-o", str(tmp_path), "--no-figures"])
    assert result.exit_code == 1
    assert "No space left on device. Make room" in result.output
    assert "Traceback" not in result.output
