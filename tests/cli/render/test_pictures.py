"""What becomes of a figure that can't be drawn: nothing to draw is no news, bad numbers are told, else it is raised."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.cli.render import pictures
from aiida_seireact.cli.render.html import render_html
from aiida_seireact.figures.figure import FigureError, NothingToDraw
from tests.cli.conftest import workchain


@pytest.fixture
def top(aiida_profile) -> orm.WorkChainNode:
    return workchain("ReactWorkChain")


def refused_by(error: Exception, top: orm.ProcessNode, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(pictures, "FIGURES", {"ps4": None})
    monkeypatch.setattr(pictures, "make", fail)
    found, refused = pictures.pictures_of([top], None, ())
    assert found == {}
    return refused


def test_nothing_to_draw_is_no_news(top, monkeypatch):
    assert refused_by(NothingToDraw("none"), top, monkeypatch) == {}


@pytest.mark.parametrize(
    ("error", "why"),
    [(FigureError("its table has no column x."), "its table has no column x."), (KeyError("n_p"), "KeyError('n_p')")],
)
def test_numbers_that_are_not_as_they_should_be_are_told_on_the_page(top, monkeypatch, error, why):
    from aiida_seireact.cli.render.gather import gather

    refused = refused_by(error, top, monkeypatch)
    assert refused == {"figure ps4": why}
    data = gather(top)
    data.missing |= refused
    assert "The figure ps4 can't be drawn" in render_html(data)


@pytest.mark.parametrize("error", [MemoryError(), NameError("typo"), OSError(28, "No space left on device")])
def test_an_error_that_no_data_leads_to_is_raised(top, monkeypatch, error):
    with pytest.raises(type(error)):
        refused_by(error, top, monkeypatch)
