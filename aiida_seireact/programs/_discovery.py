"""What the unknown clusters of a classified run are: the part of ``seireact-classify`` that looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.jobs.discover import DiscoverSettings

Progress = Callable[[str], None]
LabelsOf = Callable[[int], tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]]
"""From the place of a frame in the stream to label and cluster of each centre, ``(n_centres,)`` each, in the order in
which the frame holds its centres."""


def discover(
    stream: FrameStream,
    labels_of: LabelsOf,
    *,
    names: Sequence[str],
    cluster_labels: Sequence[int],
    centre: str,
    settings: DiscoverSettings,
    folder: Path,
    progress: Progress,
    references: Mapping[str, FrameStream] | None = None,
) -> dict[str, Any]:
    """Tell of each unknown cluster, and of each known phase beside it, what it is.

    Writes ``discovery.npz`` (curves) and ``examples.npz`` (environments to look at, as a frames file) into `folder`.
    Few frames are read; of the others only the labels, for the appearance in time.

    :param stream: frames of the run, as they were classified.
    :param labels_of: labels and clusters of a frame.
    :param names: of the labels; 0 is unknown.
    :param cluster_labels: ``(n_clusters,)`` label of each cluster.
    :param centre: element of the centres.
    :param references: frames of the known phases, whose diffraction patterns are compared beside those of the library.
    :returns: what ``discovery.json`` holds, plain numbers and words; ``files`` names what was written.
    """
    raise NotImplementedError
