"""What a replay costs before, by what was recorded, and what it did after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Data, ProcessNode, load_node

from aiida_seireact.cli.replay_plan import Item, Plan
from aiida_seireact.query import costs
from aiida_seireact.query.family import Member, family_of


@dataclass(frozen=True)
class Hours:
    """What jobs took when they ran."""

    n_jobs: int = 0
    core_hours: float = 0.0
    gpu_hours: float = 0.0

    @property
    def words(self) -> str:
        """Return the hours as a person says them."""
        gpus = f" and {self.gpu_hours:.3g} GPU-hours" if self.gpu_hours else ""
        return f"{self.core_hours:.3g} core-hours{gpus}"


@dataclass(frozen=True)
class Cost:
    """What a replay would cost: what runs for sure, and what may run after it."""

    sure: Hours
    possible: Hours

    @property
    def sentence(self) -> str:
        """Return it in a sentence."""
        if not self.sure.n_jobs and not self.possible.n_jobs:
            return "No job runs: it costs nothing but minutes of the daemon."
        sure = (
            f"{_jobs(self.sure)}: {self.sure.words} when it was recorded."
            if self.sure.n_jobs
            else "No job runs for sure: what runs are functions of seconds."
        )
        if not self.possible.n_jobs:
            return sure
        return f"{sure} If what runs gives something else, {_jobs(self.possible)} more: {self.possible.words}."

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


def _jobs(hours: Hours) -> str:
    return f"{hours.n_jobs} {'job' if hours.n_jobs == 1 else 'jobs'}"


def cost_of(plan: Plan) -> Cost:
    """Return the recorded hours of what would run, and of what would after it."""
    return Cost(_hours(plan.of("run")), _hours(plan.of("after")))


def _hours(items: list[Item]) -> Hours:
    """Return what the jobs among them took; one that came from the cache itself what its source took."""
    jobs = [_that_ran(load_node(item.member.pk)) for item in items if item.member.is_job]
    if not jobs:
        return Hours()
    table = costs(jobs)
    sums = table.groupby("node_uuid")[["core_hours", "gpu_hours"]].first()
    taken = sums.loc[[job.uuid for job in jobs]]
    return Hours(len(jobs), float(taken["core_hours"].sum()), float(taken["gpu_hours"].sum()))


def _that_ran(job: CalcJobNode) -> CalcJobNode:
    """Return the job that really ran; the nearest that is known, where an archive left it out."""
    from aiida.common.exceptions import NotExistent

    while (source := job.base.caching.get_cache_source()) is not None:
        try:
            job = load_node(uuid=source)
        except NotExistent:
            break
    return job


@dataclass(frozen=True)
class Told:
    """What a replay did.

    :param ran: calculations that were not answered by the cache.
    :param other_outputs: outputs whose content is not that of the first run, by name.
    """

    pk: int
    uuid: str
    replayed_uuid: str
    exit_status: int | None
    n_calculations: int
    n_from_cache: int
    n_before: int
    ran: tuple[Member, ...]
    same_outputs: tuple[str, ...]
    other_outputs: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """Return it in sentences."""
        lines = [f"{self.n_from_cache} of {self.n_calculations} calculations came from the cache."]
        if self.n_calculations != self.n_before:
            lines.append(f"The first run had {self.n_before}: it took another way.")
        lines += [f"  ran: {member.call_label} {member.name} <{member.pk}> {member.state}" for member in self.ran]
        if self.other_outputs:
            lines.append(
                f"{len(self.same_outputs)} outputs are those of the first run; not the same: "
                f"{', '.join(self.other_outputs)}."
            )
        elif self.same_outputs:
            lines.append(f"All {len(self.same_outputs)} outputs have the content of those of the first run.")
        return lines

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        ran = [
            {"pk": one.pk, "uuid": one.uuid, "process": one.name, "call_label": one.call_label, "state": one.state}
            for one in self.ran
        ]
        return {**{key: value for key, value in vars(self).items() if key != "ran"}, "ran": ran}


def told_of(first: ProcessNode, again: ProcessNode) -> Told:
    """Return what a replay did, against the process it repeats."""
    calculations = calculations_of(again)
    before, after = _outputs(first), _outputs(again)
    names = sorted({*before, *after})
    same = [
        name for name in names if name in before and name in after and _content(before[name]) == _content(after[name])
    ]
    return Told(
        pk=int(again.pk or 0),
        uuid=again.uuid,
        replayed_uuid=first.uuid,
        exit_status=again.exit_status,
        n_calculations=len(calculations),
        n_from_cache=sum(member.from_cache for member in calculations),
        n_before=len(calculations_of(first)),
        ran=tuple(member for member in calculations if not member.from_cache),
        same_outputs=tuple(same),
        other_outputs=tuple(name for name in names if name not in same),
    )


def calculations_of(top: ProcessNode) -> list[Member]:
    """Return the jobs and functions under a process."""
    return [member for member in family_of(top) if member.node_type.startswith("process.calculation")]


def _outputs(top: ProcessNode) -> Mapping[str, Data]:
    links = top.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all()
    return {link.link_label.replace("__", "."): link.node for link in links}


def _content(node: Data) -> str | None:
    """Return what tells the content of an output: its hash, which holds no UUID and no time."""
    content_hash: str | None = node.base.caching.compute_hash()
    return content_hash
