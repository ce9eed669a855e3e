"""The picture of the loop."""

from __future__ import annotations

from xml.etree import ElementTree

from aiida_seireact.cli.render.loop import HEIGHT, PLACES, WIDTH, Box, draw_loop

BOXES = {name: Box(name.capitalize(), (f"{name} <1>",)) for name in PLACES}
SVG = "{http://www.w3.org/2000/svg}"


def test_every_box_lies_in_the_drawing_and_says_its_words() -> None:
    root = ElementTree.fromstring(draw_loop(BOXES, {("augment", "learn"): "9 frames"}))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {f"{name} <1>" for name in PLACES} <= set(texts)
    assert "9 frames" in texts
    for rect in root.iter(f"{SVG}rect"):
        assert 0 < float(rect.get("x", 0)) + float(rect.get("width", 0)) < WIDTH
        assert 0 < float(rect.get("y", 0)) + float(rect.get("height", 0)) < HEIGHT
    assert "learn <1>" in (root.get("aria-label") or "")


def test_steps_left_out_have_neither_box_nor_arrow() -> None:
    without = {name: box for name, box in BOXES.items() if name not in ("explore", "augment")}
    root = ElementTree.fromstring(draw_loop(without, {}))
    assert len(list(root.iter(f"{SVG}rect"))) == 5
    # Without a way back there is no loop, and nothing that stands out.
    assert [line.get("stroke-width") for line in root.iter(f"{SVG}line")] == ["1.5"] * 4


def test_step_not_reached_is_dashed_and_says_so() -> None:
    root = ElementTree.fromstring(draw_loop({"learn": Box("Learn", (), reached=False)}, {}))
    (rect,) = root.iter(f"{SVG}rect")
    assert rect.get("stroke-dasharray")
    assert "not reached" in [element.text for element in root.iter(f"{SVG}text")]
