"""Two pages of a report: PKs and the date may differ, and nothing else."""

from __future__ import annotations

import pytest

from aiida_seireact.publishing.page import page_differences

PAGE = """<html data-top="{pk}">
<p>ReactWorkChain <code>{pk}</code>, 450 frames, D = {number} cm2/s</p>
<b data-key="runs.{pk}.n_label_calls">aiida-seireact report {pk} -o report_{pk}</b>
<pre>verdi process show {pk}{gap}# inputs</pre>
<footer>Rendered by it on {day} November 2026, 02:{day} UTC from the provenance graph of e3a4be25-d310</footer>
"""


def page(pk: int = 1, number: str = "2.5e-8", day: int = 28) -> str:
    return PAGE.format(pk=pk, number=number, day=day, gap=" " * (10 - len(str(pk))))


def test_pks_and_the_date_may_differ() -> None:
    assert list(page_differences(page(), page(), {})) == []
    assert list(page_differences(page(day=11), page(1234, day=12), {1: 1234})) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("2.5e-8", "2.6e-8", "2.6e-8"),
        ("450 frames", "451 frames", "451"),
        ("frames", "phrases", "phrases"),
        ("</p>", "</p><script>more()</script>", "script"),
        ("e3a4be25", "e3a4be26", "e3a4be26"),
        ("</footer>\n", "</footer>\n<p>more</p>", "6 lines"),
    ],
)
def test_anything_else_is_told(old: str, new: str, told: str) -> None:
    shipped = page().replace(old, new)
    assert shipped != page()
    found = list(page_differences(shipped, page(17), {1: 17}))
    assert len(found) == 1
    assert told in found[0]


def test_a_whole_number_may_differ_only_where_both_are_pks_of_one_node() -> None:
    """Neither that the archive has a node 450 nor that the writer had a node 500 lets another count of frames pass."""
    shipped = page().replace("450", "500")
    for pks in ({}, {1: 1, 450: 450}, {1: 1, 500: 7, 3: 450}):
        assert "500" in next(page_differences(shipped, page(), pks)), pks
    assert list(page_differences(shipped, page(), {500: 450})) == []
    # A PK that leads to another node is no difference of profiles.
    assert "17" in next(page_differences(page(1), page(17), {1: 18, 2: 17}))


def test_few_lines_are_told_of_many_that_differ() -> None:
    lines = [f"line {number}.5" for number in range(99)]
    found = list(page_differences("\n".join(lines), "\n".join(line.replace("line", "row") for line in lines), {}))
    assert len(found) == 3
    assert found[0] == "line 1 has 'line 0.5', the archive gives 'row 0.5'"
