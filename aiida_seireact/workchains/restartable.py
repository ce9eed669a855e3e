"""Processes that can be submitted again as they were, scheduler options and all: ``node.get_builder_restart()``."""

from __future__ import annotations

from aiida.engine import Process, ProcessBuilder
from plumpy.ports import PortNamespace


class RestartableMixin(Process):
    """A process whose inputs that are no nodes are kept in its node (``is_metadata``) and come back from there."""

    @classmethod
    def get_builder(cls) -> ProcessBuilder:
        """Return an empty builder, with its options in place.

        aiida-core 2.9.4 updates a mapping that is kept in the node only where the builder has one, and raises where it
        has none.
        """
        builder = super().get_builder()
        for name, port in cls.spec().inputs.items():
            if not isinstance(port, PortNamespace) and port.is_metadata and port.valid_type is dict:
                setattr(builder, name, {})
        return builder
