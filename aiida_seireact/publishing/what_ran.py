"""What really ran: programs with the versions they wrote down, labellers, plugins of other codes, processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

from aiida_seireact.formats import files
from aiida_seireact.publishing.subgraph import BATCH, SubGraph
from aiida_seireact.query.versions import results_of_jobs

OURS = "seireact-"
ENTRY = "aiida.calculations:"
# seireact-label tells the versions of all labellers it could have used; which one it did is in its settings.
UNTOLD = {"seireact-label": ("chgnet", "sevenn", "tblite", "nequip", "nequip-allegro", "torch")}
# Where parsers of other plugins put the version of their code.
VERSION_KEYS = ("code_version", "version", "cp2k_version")


@dataclass
class Ran:
    """What ran and ended well, of a sub-graph."""

    programs: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """Versions by package, by program."""
    engine: dict[str, set[str]] = field(default_factory=dict)
    """Versions of aiida-core and of the plugin packages."""
    outside: dict[str, set[str]] = field(default_factory=dict)
    """Versions of codes of other plugins, by entry point."""
    torn: Counter[str] = field(default_factory=Counter)
    """How many jobs left a result file that can't be read, by entry point: what they ran is not known."""
    labellers: set[str] = field(default_factory=set)
    processes: Counter[str] = field(default_factory=Counter)
    """How many of each, by label."""
    settings: set[str] = field(default_factory=set)
    """``KEY=VALUE`` of short texts, and ``KEY`` of groups, in the parameters of jobs."""

    @classmethod
    def of(cls, graph: SubGraph) -> Ran:
        """Read the processes of a sub-graph that are sealed and ended with 0."""
        ran = cls()
        ended = list(graph.nodes(orm.ProcessNode, {"attributes.sealed": True, "attributes.exit_status": 0}))
        jobs = [int(node.pk) for node in ended if isinstance(node, orm.CalcJobNode)]
        results = results_of_jobs(jobs)
        given = _dicts_of(jobs)
        # Codes of other plugins leave no result file of ours, but outputs that may tell a version.
        made = _dicts_of([pk for pk in jobs if pk not in results], made=True)
        for node in ended:
            ran.processes[node.process_label or ""] += 1
            for package, version in (node.base.attributes.get("version", None) or {}).items():
                name = "aiida-core" if package == "core" else _distribution(node.process_type or "")
                ran.engine.setdefault(name, set()).add(str(version))
            if isinstance(node, orm.CalcJobNode):
                ran._add_settings(given.get(int(node.pk), []))
                if node.pk not in results:
                    ran._add_outside(_plugin(node), made.get(int(node.pk), []))
                elif (result := results[int(node.pk)]) is None:
                    ran.torn[_plugin(node)] += 1
                else:
                    ran._add_result(_plugin(node), result)
        return ran

    def _add_settings(self, given: Sequence[dict[str, Any]]) -> None:
        for told in given:
            self.settings.update(_told(told))
            calculator = told.get("calculator")
            if isinstance(calculator, dict) and calculator.get("name"):
                self.labellers.add(str(calculator["name"]))

    def _add_outside(self, plugin: str, made: Sequence[dict[str, Any]]) -> None:
        found = self.outside.setdefault(plugin, set())
        for told in made:
            found.update(str(told[key]) for key in VERSION_KEYS if told.get(key))

    def _add_result(self, plugin: str, result: dict[str, Any]) -> None:
        program = str(result.get("program", plugin))
        packages = self.programs.setdefault(program, {})
        for package, version in result.get("versions", {}).items():
            packages.setdefault(str(package), set()).add(str(version))
        outputs = result.get("outputs")
        self.settings.update(_told(outputs) if isinstance(outputs, dict) else ())

    def untold(self) -> list[str]:
        """Return in words the jobs whose programs and versions are not known, since their result files are torn."""
        return [
            f"{count} job{'' if count == 1 else 's'} of {plugin}, whose {files.RESULT} can't be read"
            for plugin, count in sorted(self.torn.items())
        ]

    def tokens(self) -> set[str]:
        """Return what citations ask for, see `citations.yaml`."""
        packages = {
            package
            for program, versions in self.programs.items()
            for package, found in versions.items()
            if found != {"absent"} and package not in UNTOLD.get(program, ())
        }
        return {
            "always",
            *(f"program:{program.removeprefix(OURS)}" for program in self.programs),
            *(f"package:{package}" for package in packages),
            *(f"calculator:{name.lower()}" for name in self.labellers),
            *(f"plugin:{plugin}" for plugin in self.outside),
            *(f"process:{label}" for label in self.processes),
            *(f"setting:{told}" for told in self.settings),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain types for JSON: versions as sorted lists."""
        return {
            "programs": {
                program: {package: sorted(found) for package, found in sorted(packages.items())}
                for program, packages in sorted(self.programs.items())
            },
            "engine": {name: sorted(found) for name, found in sorted(self.engine.items())},
            "other_codes": {plugin: sorted(found) for plugin, found in sorted(self.outside.items())},
            "torn_results": dict(sorted(self.torn.items())),
            "labellers": sorted(self.labellers),
            "processes": dict(sorted(self.processes.items())),
        }


def _plugin(node: orm.CalcJobNode) -> str:
    return (node.process_type or "").removeprefix(ENTRY)


def _dicts_of(jobs: Sequence[int], *, made: bool = False) -> dict[int, list[dict[str, Any]]]:
    """Return by PK of a job the contents of the Dicts it was given, or has made."""
    found: dict[int, list[dict[str, Any]]] = {}
    for start in range(0, len(jobs), BATCH):
        query = orm.QueryBuilder().append(
            orm.CalcJobNode, filters={"id": {"in": [*jobs[start : start + BATCH]]}}, project="id", tag="job"
        )
        link = {"with_incoming" if made else "with_outgoing": "job"}
        query.append(orm.Dict, **link, project="attributes", tag="told")
        for job, told in query.order_by({"told": "id"}).all():
            found.setdefault(job, []).append(told)
    return found


def _distribution(process_type: str) -> str:
    """Return the package of a process: of an entry point by its first word, of a function by its module."""
    _, colon, entry_point = process_type.partition(":")
    if colon:
        return f"aiida-{entry_point.split('.')[0]}"
    return process_type.split(".")[0].replace("_", "-") or "unknown"


def _told(settings: dict[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield str(key)
            yield from _told(value)
        elif isinstance(value, str) and len(value) < 40:
            yield f"{key}={value}"
