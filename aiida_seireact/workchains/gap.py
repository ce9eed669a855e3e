"""What the engines of band gaps share: those of labels, which tell of levels instead of energies."""

from __future__ import annotations

from collections.abc import Mapping

from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.engine import ExitCode, ProcessSpec
from aiida.plugins import WorkflowFactory

from aiida_seireact.workchains.label_engine import LabelEngine

GAP_PREFIX = "seireact.gap."


class GapEngine(LabelEngine):
    """Band gaps of a batch: ``code``, ``frames``, ``parameters``, ``options`` in, as of the labels; ``gaps`` out.

    An engine ``seireact.gap.<name>`` is one of labels too; third parties add theirs beside ``seireact.label.<name>``.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        for name in ("frames", "failures"):
            del spec.outputs[name]
        spec.output(
            "gaps",
            valid_type=orm.Dict,
            help="`gaps`, a row a frame: `gap_ev` (0 of a metal, null where it can't be told), `metallic`, `remark`.",
        )

    def tell(self, outputs: Mapping[str, orm.Data] | orm.Data) -> ExitCode | None:
        """Attach the gaps; a frame without one costs no other, and says why."""
        self.out("gaps", outputs)
        return None


def gap_engine_of(engine: str) -> str | None:
    """Return the engine of gaps beside one of labels, None where it has none.

    :param engine: entry point of the engine of labels.
    """
    name = f"{GAP_PREFIX}{engine.rpartition('.')[2]}"
    try:
        WorkflowFactory(name)
    except EntryPointError:
        return None
    return name
