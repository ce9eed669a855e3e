"""What a program that wants a GPU says when there is none, and what it tells of the one it had."""

from __future__ import annotations

from typing import Any

from aiida_seireact.formats.jobs.base import InvalidInput


def require_gpu(wanted_by: str, instead: str, *, count: int = 1) -> None:
    """Refuse to go on without a GPU.

    :param wanted_by: what asks for it, the beginning of the sentence.
    :param instead: how to do without.
    :param count: how many are wanted.
    :raises InvalidInput: torch sees none, or fewer.
    """
    import torch

    if not torch.cuda.is_available():
        raise InvalidInput(
            f"{wanted_by}, and torch {torch.__version__} sees no GPU here: ask the scheduler for one (SLURM: --gpus=1) "
            f"and install a torch built for CUDA, or {instead}."
        )
    if torch.cuda.device_count() < count:
        raise InvalidInput(
            f"{wanted_by} and devices is {count}, but there are {torch.cuda.device_count()} here: ask the scheduler "
            f"for {count} on one machine (SLURM: --gpus={count}), or take fewer devices."
        )


def cuda_capability() -> str:
    """Return the compute capability of the GPU in use, like ``9.0``: what is compiled for it does not run on others."""
    import torch

    return "{}.{}".format(*torch.cuda.get_device_capability())


def gpu_facts() -> dict[str, Any]:
    """Return name and memory of the GPU in use, and the most memory torch held of it since the start, bytes."""
    import torch

    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return {
        "name": properties.name,
        "memory_bytes": int(properties.total_memory),
        "memory_peak_bytes": int(torch.cuda.max_memory_reserved()),
    }
