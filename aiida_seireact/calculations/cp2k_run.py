"""One job of CP2K, read from what it left: the labels of its frames, and which of them another job should compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm

from aiida_seireact.formats.labels import Label

ABORTED = 304


@dataclass(frozen=True, eq=False)
class Cp2kRun:
    """A job, found from one of its outputs.

    :param calculation: the job.
    :param found: its ``output_parameters``, empty if the parser had nothing to read.
    :param labels: its output ``labels``, None if not one frame is whole.
    """

    calculation: orm.CalcJobNode
    found: dict[str, Any] = field(default_factory=dict)
    labels: orm.ArrayData | None = None

    @classmethod
    def of(cls, output: orm.Data) -> Cp2kRun:
        """Return the job that left ``output``: ``output_parameters``, else ``retrieved`` or ``remote_folder``."""
        calculation = output.creator
        outputs = {link.link_label: link.node for link in calculation.base.links.get_outgoing().all()}
        return cls(
            calculation=calculation,
            found=output.get_dict() if isinstance(output, orm.Dict) else {},
            labels=outputs.get("labels"),
        )

    @property
    def version(self) -> str:
        """Version of CP2K, as it tells itself."""
        return str(self.found.get("version", ""))

    @property
    def kinds_sha256(self) -> dict[str, str]:
        """The sha256 of basis set and potential of each element, as printed by CP2K."""
        return dict(self.found.get("kinds_sha256", {}))

    @property
    def n_whole(self) -> int:
        """Frames that are whole, counted from the first."""
        return int(self.found.get("frames_whole", 0))

    @property
    def culprit(self) -> int | None:
        """The frame at which CP2K stopped by itself, None if it did not, or before it came to any frame."""
        begun = int(self.found.get("frames_begun", 0))
        return self.n_whole if self.found.get("abort") and begun else None

    @property
    def reason(self) -> str:
        """Why frames are missing."""
        node = self.calculation
        words = str(node.exit_message or node.process_state.value).rstrip(".")
        return f"{words} (exit {node.exit_status} of its job)"

    def left(self, sent: list[int]) -> list[int]:
        """Return which frames another job should compute; none where it would fail as this one did.

        :param sent: the frames of this job.
        """
        if self.culprit is not None:
            return sent[self.culprit + 1 :]
        if self.calculation.exit_status in (0, ABORTED):
            return []
        return sent[self.n_whole :]

    def label(self, position: int) -> Label | str:
        """Return the label of the frame at ``position`` in this job, or why there is none."""
        if self.labels is None or position >= self.n_whole:
            return self.reason
        arrays = self.labels
        stress = arrays.get_array("stress")[position]
        return Label(
            energy=float(arrays.get_array("energy")[position]),
            forces=np.asarray(arrays.get_array("forces")[position], dtype=np.float64),
            stress=None if np.isnan(stress).all() else np.asarray(stress, dtype=np.float64),
            converged=bool(arrays.get_array("scf_steps")[position] > 0),
            numbers=np.asarray(arrays.get_array("numbers"), dtype=np.int64),
            positions=np.asarray(arrays.get_array("positions")[position], dtype=np.float64),
            cell=np.asarray(arrays.get_array("cells")[position], dtype=np.float64),
        )
