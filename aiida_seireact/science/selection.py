"""Which frames are used, and for what: split by group, force limit, duplicates, time blocks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

SPLITS = ("train", "val", "test")


def split_by_group(
    groups: Sequence[str],
    config_types: Sequence[str],
    ids: Sequence[str],
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int,
    kept: Mapping[str, str] | None = None,
) -> NDArray[np.str_]:
    """Return ``train``, ``val`` or ``test`` for each frame, ``(n_frames,)``; a group is never split.

    Every config type is divided by itself: its groups, in the order of their smallest frame id and then
    shuffled, go one each to test, val and train, and from then on to the part that lacks most of its share
    of frames. So every part holds every config type, the order of the frames does not matter, and a further
    config type changes no other that it shares no group with. A group of several types (a draw, and the same draw with
    defects) goes where the type with the fewest groups puts it.

    :param groups: ``(n_frames,)`` a trajectory, a time block of one, or an independent draw.
    :param config_types: ``(n_frames,)``
    :param ids: ``(n_frames,)`` frame ids, the canonical order.
    :param fractions: shares of frames for train, val and test; a part with share 0 stays empty.
    :param seed: seed of the shuffle.
    :param kept: group -> part of an earlier split, kept as it is and counted, so that a dataset can grow
        without a test frame ever becoming a training frame.
    :raises ValueError: fewer groups of a type than parts, unlike lengths, or fractions that do not sum to 1.
    """
    if not len(groups) == len(config_types) == len(ids):
        raise ValueError(
            f"There are {len(groups)} groups, {len(config_types)} config types and {len(ids)} ids: "
            "give one each per frame."
        )
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"The fractions for train, val and test must sum to 1, not {fractions}.")
    kept = kept or {}
    wrong = sorted(set(kept.values()) - set(SPLITS))
    if wrong:
        raise ValueError(f"'{wrong[0]}' is no part of a dataset: known are {', '.join(SPLITS)}.")

    members: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for group, config_type, frame_id in zip(groups, config_types, ids, strict=True):
        members[config_type][group].append(frame_id)

    part_of: dict[str, str] = {}
    # A type with few groups has less choice than the one that it shares them with.
    for config_type in sorted(members, key=lambda name: (len(members[name]), name)):
        own = members[config_type]
        sizes = {name: len(own[name]) for name in sorted(own, key=lambda name: (min(own[name]), name))}
        part_of |= _split_one_type(config_type, sizes, fractions, seed, {**part_of, **kept})
    return np.array([part_of[group] for group in groups])


def _split_one_type(
    config_type: str,
    sizes: Mapping[str, int],
    fractions: tuple[float, float, float],
    seed: int,
    kept: Mapping[str, str],
) -> dict[str, str]:
    """Return group -> part for the groups of one config type, given in canonical order."""
    share = {part: fraction for part, fraction in zip(SPLITS, fractions, strict=True) if fraction > 0}
    if len(sizes) < len(share):
        raise ValueError(
            f"Config type '{config_type}' has {len(sizes)} group{'s' if len(sizes) > 1 else ''}, "
            f"but {', '.join(share)} need one each: add frames drawn independently, "
            "or cut its trajectory into time blocks."
        )
    # Seeded by the name of the type: one more type in the dataset leaves the others alone.
    name_seed = int.from_bytes(hashlib.sha256(config_type.encode()).digest()[:8], "little")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, name_seed])))
    parts = {name: kept[name] for name in sizes if name in kept}
    filled = dict.fromkeys(SPLITS, 0)
    for name, part in parts.items():
        filled[part] += sizes[name]
    names = [name for name in sizes if name not in kept]
    total = sum(sizes.values())
    for name in (names[index] for index in rng.permutation(len(names))):
        empty = [part for part in reversed(SPLITS) if part in share and not filled[part]]
        part = empty[0] if empty else max(share, key=lambda key: share[key] * total - filled[key])
        parts[name] = part
        filled[part] += sizes[name]
    return parts


def within_force_limit(forces: ArrayLike, offsets: ArrayLike, limit_ev_per_ang: float) -> NDArray[np.bool_]:
    """Return for each frame whether no atom feels more than the limit, ``(n_frames,)``.

    :param forces: ``(n_atoms_total, 3)`` in eV/Å.
    :param offsets: ``(n_frames + 1,)``; frame i owns the rows ``offsets[i]:offsets[i + 1]``.
    :param limit_ev_per_ang: largest length of a force in eV/Å. A force that is not a number is beyond it.
    """
    lengths = np.linalg.norm(np.asarray(forces, dtype=float), axis=1)
    beyond = ~(lengths <= limit_ev_per_ang)
    starts = np.asarray(offsets, dtype=np.int64)[:-1]
    return ~np.logical_or.reduceat(beyond, starts)


def unique_by_id(ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the indices of the first frame with each id, in ascending order."""
    first: dict[str, int] = {}
    for index, frame_id in enumerate(ids):
        first.setdefault(frame_id, index)
    return np.array(list(first.values()), dtype=np.int64)


def time_blocks(md_steps: ArrayLike, block_steps: int, gap_steps: int) -> NDArray[np.int64]:
    """Return the time block of each frame of one trajectory, -1 for frames in a gap.

    Block k holds the steps from k (block_steps + gap_steps) on, `block_steps` of them; the gap after it
    keeps the last frame of a block apart from the first of the next, so that blocks may be split between
    training and test.

    :param md_steps: ``(n_frames,)`` MD step of each frame, not negative.
    :param block_steps: length of a block in MD steps.
    :param gap_steps: length of the gap in MD steps; 0 for none.
    :raises ValueError: a block without length, a negative gap or step.
    """
    steps = np.asarray(md_steps, dtype=np.int64)
    if block_steps < 1 or gap_steps < 0:
        raise ValueError(f"A time block needs at least 1 step and a gap at least 0, not {block_steps} and {gap_steps}.")
    if len(steps) and steps.min() < 0:
        raise ValueError(f"MD steps start at 0, but one is {steps.min()}.")
    block, within = np.divmod(steps, block_steps + gap_steps)
    return np.where(within < block_steps, block, -1)


def blocks_by_number(n_frames: int, n_blocks: int, gap_frames: int) -> NDArray[np.int64]:
    """Return the time block of each of consecutive frames of one trajectory, ``(n_frames,)``, -1 in a gap.

    The frames that the gaps leave are divided evenly, so that a run that ended early has its blocks too. One that is
    too short for ``n_blocks`` blocks of a frame has as many as fit.

    :param n_frames: frames of the trajectory, in their order, at least 1.
    :param n_blocks: blocks wanted.
    :param gap_frames: frames between two blocks that belong to none, so that neighbours in time are kept apart.
    :raises ValueError: no frame, no block, or a negative gap.
    """
    if n_frames < 1 or n_blocks < 1 or gap_frames < 0:
        raise ValueError(
            "Time blocks need at least 1 frame and 1 block and a gap of at least 0 frames, not "
            f"{n_frames}, {n_blocks} and {gap_frames}."
        )
    n_blocks = min(n_blocks, (n_frames + gap_frames) // (1 + gap_frames))
    size, rest = divmod(n_frames - gap_frames * (n_blocks - 1), n_blocks)
    block = np.full(n_frames, -1, dtype=np.int64)
    start = 0
    for number in range(n_blocks):
        stop = start + size + (number < rest)
        block[start:stop] = number
        start = stop + gap_frames
    return block


def is_held_out(block: int, every: int) -> bool:
    """Tell whether a time block, counted from 0, is held out: of each ``every`` consecutive ones the middle is.

    So the end of a run, where it goes wrong, is learned.
    """
    return block % every == every // 2


def share_quotas(asked: Mapping[str, int], capacity: Mapping[str, int], order: Sequence[str]) -> dict[str, int]:
    """Return how many frames each source gives: what is asked of it, and what others asked of lack.

    :param asked: source -> number wanted of it.
    :param capacity: source -> number it has.
    :param order: sources in the order in which they step in for others.
    """
    quota = {name: min(asked[name], capacity[name]) for name in asked}
    missing = sum(asked.values()) - sum(quota.values())
    for name in order:
        extra = min(missing, capacity[name] - quota[name])
        quota[name] += extra
        missing -= extra
    return quota


def spread_evenly(count: int, capacity: Sequence[int]) -> list[int]:
    """Return how many of ``count`` things go to each place, as evenly as their capacities allow, the first first."""
    given = [0] * len(capacity)
    for _ in range(min(count, sum(capacity))):
        free = [place for place, room in enumerate(capacity) if given[place] < room]
        given[min(free, key=lambda place: given[place])] += 1
    return given


def share_in_turn(count: int, weights: Mapping[str, float], given: Mapping[str, int]) -> dict[str, int]:
    """Return how many of ``count`` further things each reason gets, so that all together come near their shares.

    One by one to the reason that lacks most of its share, of equal ones the first.

    :param weights: reason -> share, not negative, one above 0.
    :param given: what the reasons got before.
    """
    total = sum(weights.values())
    got = {reason: given.get(reason, 0) for reason in weights}
    for _ in range(count):
        number = sum(got.values()) + 1
        got[max(got, key=lambda reason: weights[reason] / total * number - got[reason])] += 1
    return {reason: got[reason] - given.get(reason, 0) for reason in weights}


def uncertain_and_different(
    scores: ArrayLike, features: ArrayLike, count: int, *, shortlist: float = 2.0, taken: ArrayLike | None = None
) -> list[int]:
    """Return the indices of ``count`` frames: of the most uncertain ones those most unlike each other, ascending.

    The ``shortlist × count`` frames with the highest scores are left; of these the highest is taken, then each time
    the one farthest from all taken (farthest-point sampling: T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985)).

    :param scores: ``(n_frames,)``; equal scores are told apart by the order of the frames.
    :param features: ``(n_frames, n_features)``; their Euclidean distances are compared.
    :param count: frames wanted; all, if there are fewer.
    :param shortlist: from 1 (uncertainty alone) on; large: difference alone.
    :param taken: ``(n_taken, n_features)`` of frames chosen before, from which the new ones are to differ as well.
    """
    places = np.asarray(features, dtype=float)
    ranked = np.argsort(-np.asarray(scores, dtype=float), kind="stable")
    left = ranked[: max(count, int(np.ceil(shortlist * count)))]
    near = np.full(len(left), np.inf)
    for known in [] if taken is None else np.asarray(taken, dtype=float):
        near = np.minimum(near, np.linalg.norm(places[left] - known, axis=1))
    # Infinite distances, before anything is taken, leave the choice to the order of the shortlist.
    chosen = farthest_first(
        near, count, lambda best, near: np.minimum(near, np.linalg.norm(places[left] - places[left[best]], axis=1))
    )
    return sorted(left[chosen].tolist())


def farthest_first(
    near: NDArray[np.float64],
    count: int,
    approach: Callable[[int, NDArray[np.float64]], NDArray[np.float64]],
    *,
    first: int | None = None,
) -> list[int]:
    """Return the indices of ``count`` items, each time the one farthest from all taken, ascending.

    T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985). Of equally far ones the first in order is taken.

    :param near: ``(n,)`` distance of each item from what is taken already, infinite from nothing.
    :param count: items wanted; all, if there are fewer.
    :param approach: of the item just taken and ``near`` the new ``near``: the smaller of it and the distance to that.
    :param first: the item taken first; by default the farthest.
    """
    chosen: list[int] = []
    while len(chosen) < min(count, len(near)):
        best = first if first is not None and not chosen else int(np.argmax(near))
        chosen.append(best)
        near = approach(best, near)
        near[best] = -1.0
    return sorted(chosen)


def equally_weighted(features: ArrayLike) -> NDArray[np.float64]:
    """Return features of frames as vectors ``(n_frames, n_parts × n_features)`` in which each part counts alike.

    Each part is divided by the root mean square distance of its frames from their mean; one that never changes is 0.

    :param features: ``(n_frames, n_parts, n_features)``, a part for example for each species.
    """
    values = np.array(features, dtype=float)
    values -= values.mean(axis=0)
    spread = np.sqrt((values**2).sum(axis=2).mean(axis=0))
    scaled = np.divide(values, spread[:, None], out=np.zeros_like(values), where=spread[:, None] > 0)
    return np.asarray(scaled.reshape(len(values), -1))


def share_budget(
    budget: int, counts: Mapping[str, int], weights: Mapping[str, float] | None = None, *, least: int = 0
) -> dict[str, int]:
    """Return how many frames of each kind are taken of a budget, in proportion to count times weight.

    Each kind with a weight first gets ``least`` frames, or all it has, as far as the budget reaches; the rest is
    divided by largest remainders, and what a kind has not goes to the others. Ties go by name.

    :param counts: kind -> frames there are; :param weights: kind -> weight, default 1.
    :raises ValueError: a budget below 1.
    """
    if budget < 1:
        raise ValueError(f"a budget of {budget} frames chooses nothing: give at least 1")
    weight = {name: counts[name] * (weights or {}).get(name, 1.0) for name in sorted(counts)}
    open_to = [name for name in weight if weight[name] > 0]
    quota = dict.fromkeys(sorted(counts), 0)
    left = min(budget, sum(counts[name] for name in open_to))
    for step in range(least):
        for name in open_to:
            if left and quota[name] == step and quota[name] < counts[name]:
                quota[name] += 1
                left -= 1
    while left:
        free = [name for name in open_to if quota[name] < counts[name]]
        total = sum(weight[name] for name in free)
        exact = {name: min(left * weight[name] / total, counts[name] - quota[name]) for name in free}
        whole = {name: int(exact[name]) for name in free}
        if not any(whole.values()):
            for name in sorted(free, key=lambda name: (-exact[name], name))[:left]:
                quota[name] += 1
                left -= 1
            continue
        for name in free:
            quota[name] += whole[name]
            left -= whole[name]
    return quota
