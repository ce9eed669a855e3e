from __future__ import annotations

from aiida_seireact.cli.trace_drawing import boxes_of, dot_of
from aiida_seireact.cli.tracing import Labelling, Step, Trace


def step(pk: int, name: str, *under: Step, link: str = "", is_label: bool = False, again: bool = False) -> Step:
    text = f"{name} <{pk}>"
    return Step(pk, f"uuid-{pk}", link, name, text, name.endswith("tion"), is_label, again, list(under))


def shards(*jobs: int) -> list[Step]:
    made = []
    for number, job in enumerate(jobs):
        label = step(job, "LabelCalculation", step(1, "FramesData", again=number > 0), is_label=True)
        made.append(step(job + 1, "FramesData", label, link=f"shard_{number}"))
    return made


def labelling(pk: int) -> Labelling:
    return Labelling(pk, f"uuid-{pk}", "LabelCalculation", "", {}, {}, 20, from_cache=False)


def test_many_equal_labelling_jobs_are_one_box_with_their_number():
    jobs = range(10, 510, 5)
    way = Trace(step(1000, "DatasetData", step(999, "make_dataset", *shards(*jobs))), tuple(map(labelling, jobs)))
    boxes = boxes_of(way)
    assert [(len(box.steps), box.first.name) for box in boxes] == [
        (1, "DatasetData"),
        (1, "make_dataset"),
        (100, "FramesData"),
        (100, "LabelCalculation"),
        (1, "FramesData"),
    ]
    source = dot_of(way).source
    assert "100 × LabelCalculation\n2000 labelled frames" in source
    assert source.count("->") == 4


def test_what_was_made_in_another_way_keeps_a_box_of_its_own():
    explored = step(71, "FramesData", step(70, "FlareCalculation", is_label=True))
    way = Trace(step(1000, "make_dataset", *shards(10, 20), explored), ())
    assert sorted((len(box.steps), box.first.name) for box in boxes_of(way)) == [
        (1, "FlareCalculation"),
        (1, "FramesData"),
        (1, "FramesData"),
        (1, "make_dataset"),
        (2, "FramesData"),
        (2, "LabelCalculation"),
    ]


def test_a_node_that_serves_twice_is_drawn_once_with_two_arrows():
    used = step(5, "FramesData")
    way = Trace(step(9, "DatasetData", step(8, "add", used), step(7, "merge", step(5, "FramesData", again=True))), ())
    boxes = boxes_of(way)
    assert [box.first.pk for box in boxes] == [9, 8, 7, 5]
    assert sorted(boxes[-1].to) == [1, 2]
