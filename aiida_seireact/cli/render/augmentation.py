"""What the report shows of augmentation: which frames of a model's own runs were learned, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from aiida_seireact.cli.render.outputs import Outputs

PREFIX = "augment-"
"""What the config types of the frames chosen begin with; the name of the run follows."""

ALL = "all"
HELD_OUT, OLD_TEST = "held-out frames of its own runs", "test frames it was tested on before"

Array = NDArray[Any]


@dataclass(frozen=True)
class Candidates:
    """The frames of one run that were looked at, in the order of time."""

    name: str
    n_atoms: int
    timestep_fs: float
    stopped_by: Any
    columns: dict[str, Array]
    """``md_step``, ``max_std``, ``mean_std``, ``block``, ``part``, ``chosen``, ``(n_frames,)`` each."""

    @property
    def n_chosen(self) -> int:
        """Frames that were taken."""
        return int(self.columns["chosen"].sum())


@dataclass(frozen=True)
class Augmentation:
    """One round: what was looked at and chosen, and errors before and after."""

    numbers: dict[str, Any] = field(default_factory=dict)
    candidates: dict[str, Candidates] = field(default_factory=dict)
    rounds: dict[str, Any] = field(default_factory=dict)
    """What each round cost and gained, and why there was no further."""

    @property
    def n_labelled(self) -> int:
        """Frames of its own runs that got a label."""
        return int(self.numbers.get("n_labelled", 0))

    @property
    def n_learned(self) -> int:
        """Of these, those learned from."""
        return int(self.numbers["n_learned"])

    @property
    def n_held_out(self) -> int:
        """Of these, those held out."""
        return int(self.numbers["n_held_out"])

    def content(self) -> dict[str, Any]:
        """Return the numbers as the summary has them, for a process that has none yet."""
        if not self.numbers:
            return {}
        held_out = self.numbers["held_out"]
        return {
            "n_augmented_frames": self.n_labelled,
            "augmented_force_rmse_before": held_out["before"]["all"]["force_rmse_ev_per_ang"],
            "augmented_force_rmse_after": held_out["after"]["all"]["force_rmse_ev_per_ang"],
        }


def read_augmentation(outputs: Outputs) -> Augmentation | None:
    """Read what was chosen and what it changed; None while neither is known."""
    node, selection = outputs.find("augmentation"), outputs.find("selection")
    if node is None and selection is None:
        return None
    candidates = {}
    if selection is not None:
        columns = {name: selection.get_array(name) for name in selection.get_arraynames()}
        for name in dict.fromkeys(columns["run"].tolist()):
            mine = columns["run"] == name
            trajectory = outputs.find_run(name)
            facts = {} if trajectory is None else dict(trajectory.base.attributes.items())
            candidates[name] = Candidates(
                name,
                int(columns["n_atoms"][mine][0]),
                float(facts.get("timestep_fs", 1.0)),
                facts.get("stopped_by"),
                {key: values[mine] for key, values in columns.items()},
            )
    rounds = outputs.find("rounds", quietly=True)
    return Augmentation(
        {} if node is None else node.get_dict(),
        candidates,
        {} if rounds is None else rounds.get_dict(),
    )


def error_changes(augmentation: Augmentation) -> dict[str, list[dict[str, Any]]]:
    """Return rows of errors before and after, under a heading each for the new frames and for those of before."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key, heading in (("held_out", HELD_OUT), ("old_test", OLD_TEST)):
        tables = augmentation.numbers.get(key)
        if not tables or not tables["before"] or not tables["after"]:
            continue
        names = sorted(set(tables["before"]) - {ALL})
        # One kind of frame and all of them are the same row.
        names = names if len(names) == 1 else [*names, ALL]
        found[heading] = [
            {
                "type": name.removeprefix(PREFIX),
                "n_frames": tables["before"][name].get("n_frames"),
                "force_before": tables["before"][name]["force_rmse_ev_per_ang"],
                "force_after": tables["after"][name]["force_rmse_ev_per_ang"],
                "rms": tables["before"][name].get("force_rms_ev_per_ang"),
                "energy_before": tables["before"][name].get("energy_rmse_mev_per_atom"),
                "energy_after": tables["after"][name].get("energy_rmse_mev_per_atom"),
                "stress_before": tables["before"][name].get("stress_rmse_gpa"),
                "stress_after": tables["after"][name].get("stress_rmse_gpa"),
            }
            for name in names
            if name in tables["before"] and name in tables["after"]
        ]
    return {heading: rows for heading, rows in found.items() if rows}
