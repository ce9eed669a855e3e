"""Which frames of which files a program reads."""

from __future__ import annotations

from pydantic import Field

from aiida_seireact.formats.jobs.base import Job


class FrameFiles(Job):
    """Frames of dumps (plain or gzipped) or of frames files (``.npz``), in the order given."""

    files: tuple[str, ...] = Field(min_length=1, description="paths relative to the working folder")
    skip_first: int = Field(0, ge=0, description="frames left out at the start; frame 0 repeats the start cell")
    stride: int = Field(1, ge=1, description="every how manieth frame after those is read")
    stop_before_truncated: bool = Field(
        False, description="end before a last frame that is cut off, instead of refusing the dump"
    )
