"""Protocols: named sets of inputs, in YAML beside the WorkChains, every value of which can be overridden."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from importlib import resources
from typing import Any, ClassVar

import yaml

# Another calculator has other keyword arguments: laid over the one of the protocol it would keep foreign ones.
TAKEN_WHOLE = {"calculator"}


def merge(base: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return ``base`` with ``changes`` laid over it, key by key, to any depth; lists and calculators whole."""
    merged = deepcopy(dict(base))
    for key, value in (changes or {}).items():
        inner = merged.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping) and key not in TAKEN_WHOLE:
            merged[key] = merge(inner, value)
        else:
            merged[key] = value
    return merged


class ProtocolMixin:
    """Gives a WorkChain its protocols from ``protocols/<NAME>.yaml``."""

    PROTOCOL_FILE: ClassVar[str]

    @classmethod
    def _protocol_file(cls) -> dict[str, Any]:
        text = resources.files("aiida_seireact.workchains").joinpath("protocols", cls.PROTOCOL_FILE).read_text("utf-8")
        content: dict[str, Any] = yaml.safe_load(text)
        return content

    @classmethod
    def get_default_protocol(cls) -> str:
        """Return the protocol used when none is named."""
        return str(cls._protocol_file()["default_protocol"])

    @classmethod
    def get_available_protocols(cls) -> dict[str, str]:
        """Return the names of the protocols, each with a sentence."""
        return {name: content["description"] for name, content in cls._protocol_file()["protocols"].items()}

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol with ``overrides`` laid over them.

        :raises ValueError: no such protocol; an override of a key that does not exist at the top.
        """
        content = cls._protocol_file()
        name = protocol or content["default_protocol"]
        if name not in content["protocols"]:
            raise ValueError(
                f"There is no protocol {name!r}; {cls.__name__} has {', '.join(content['protocols'])}. "
                "Start from one of these and give `overrides`."
            )
        inputs = {key: value for key, value in content["protocols"][name].items() if key != "description"}
        unknown = sorted(set(overrides or {}) - set(inputs))
        if unknown:
            raise ValueError(
                f"Unknown in overrides: {', '.join(unknown)}; {cls.__name__} has {', '.join(sorted(inputs))}."
            )
        return merge(inputs, overrides)
