"""The numbers of a run in the boxes of the loop's picture."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.loop import Box, draw_loop
from aiida_seireact.cli.render.models import Model, ratio
from aiida_seireact.cli.render.words import counted, labeller_name, number, percent

MOST_PHASES = 6


def loop_picture(data: ReportData) -> Markup:
    """Return the loop of a study with its counts; steps that were not asked for are left out."""
    boxes = {
        "cells": _cells(data),
        "label": _label(data),
        **({"explore": _explore(data)} if data.has("explore") else {}),
        "learn": _learn(data),
        "produce": _produce(data),
        **({"augment": _augment(data)} if data.has("augment") else {}),
        "recognise": _recognise(data),
    }
    along = {("learn", "produce"): "model"} if boxes["learn"].reached else {}
    if data.n_first_labels:
        along["label", "learn"] = counted(data.n_first_labels, "frame")
    if data.exploration is not None:
        along["explore", "learn"] = counted(data.exploration.numbers["n_labels"], "frame")
    if data.augmentation is not None and data.augmentation.numbers:
        along["augment", "learn"] = counted(data.augmentation.n_learned, "frame")
    return draw_loop(boxes, along)


def _box(title: str, *lines: str) -> Box:
    told = tuple(line for line in lines if line)
    return Box(title, told, reached=bool(told))


def _cells(data: ReportData) -> Box:
    if not data.has("sample"):
        return Box("Cells", ("Li | Li₆PS₅Cl | Li, matched",))
    return Box("Cells", ("Li | Li₆PS₅Cl | Li, matched", "and relaxed by the labeller"))


def _label(data: ReportData) -> Box:
    if not data.n_first_labels:
        return _box("Label")
    name = labeller_name(data.labeller)
    lost = len(data.label_failures)
    return _box(
        "Label",
        counted(data.n_first_labels, "frame") + (f" by {name}" if name else ""),
        "energy, forces, stress of each",
        f"{number(lost)} without a label" if lost else "",
    )


def _explore(data: ReportData) -> Box:
    if data.exploration is None:
        n_legs = sum(condition.n_legs for condition in data.conditions)
        return _box("Explore", f"{counted(n_legs, 'leg')} so far" if n_legs else "")
    numbers = data.exploration.numbers
    return _box(
        "Explore",
        f"{counted(len(data.exploration.conditions), 'condition')}, {counted(numbers['n_legs'], 'leg')}",
        f"{counted(data.exploration.n_calls, 'call')} for a label",
        f"{counted(numbers['n_labels'], 'frame')} labelled",
    )


def _learn(data: ReportData) -> Box:
    if data.first_model is None:
        return _box("Learn", _model_line("model", data.content.get("n_frames"), data.model), _judged(data))
    return _box(
        "Learn",
        _model_line("first model", data.n_first_frames, data.first_model),
        _model_line("last model", data.content.get("n_frames"), data.model),
        "errors on frames held out; the last test set is larger" if data.model.errors else "",
        _judged(data),
    )


def _judged(data: ReportData) -> str:
    return f"scorecard: {data.judged.words()}" if data.judged else ""


def _model_line(name: str, n_frames: Any, model: Model) -> str:
    error = model.errors.get("force_rmse_ev_per_ang")
    if error is None:
        return ""
    share = ratio(model.errors)
    return (
        f"{name}: {number(n_frames)} frames, force error {number(error)} eV/Å"
        f"{f' ({percent(share)} of rms)' if share is not None else ''}"
    )


def _produce(data: ReportData) -> Box:
    runs = [run.facts for run in (data.first_run, data.run) if run is not None and run.facts]
    if not runs:
        return _box("Produce")
    names = ("first model", "last model") if data.first_run is not None else ("",)
    lines = [f"{number(runs[0].get('n_atoms'))} atoms"]
    for name, facts in zip(names, runs, strict=False):
        steps, timestep = facts.get("steps"), facts.get("timestep_fs")
        time = f", {number(steps * timestep / 1000)} ps" if steps is not None and timestep else ""
        lines.append(f"{name}{': ' if name else ''}{number(steps)} steps{time}")
    return _box("Produce", *lines)


def _augment(data: ReportData) -> Box:
    augmentation = data.augmentation
    if augmentation is None:
        return _box("Augment")
    numbers = data.content
    before, after = numbers.get("augmented_force_rmse_before"), numbers.get("augmented_force_rmse_after")
    return _box(
        "Augment",
        f"{counted(sum(run.n_chosen for run in augmentation.candidates.values()), 'frame')} chosen",
        f"{augmentation.n_learned} learned, {augmentation.n_held_out} held out" if augmentation.numbers else "",
        f"error: {number(before)} → {number(after)} eV/Å" if before is not None else "",
    )


def _recognise(data: ReportData) -> Box:
    start, end = data.content.get("ps4_intact_start"), data.content.get("ps4_intact_end")
    fractions = data.content.get("phase_fractions") or {}
    first, last = fractions.get("first") or {}, fractions.get("last") or {}
    names = sorted(set(first) | set(last), key=lambda name: -max(first.get(name, 0.0), last.get(name, 0.0)))
    lines = [f"intact PS₄: {number(start)} → {number(end)}" if start is not None else ""]
    shown = [name for name in names if first.get(name) or last.get(name)][:MOST_PHASES]
    if shown:
        lines += ["", "of Li, start → end:"]
    lines += [f"{name}: {percent(first.get(name, 0.0))} → {percent(last.get(name, 0.0))}" for name in shown]
    return _box("Recognise", *lines)
