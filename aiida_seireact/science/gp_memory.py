"""How much memory learning takes: FLARE holds the gradient of every descriptor of every frame it learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Three components in double precision (measured with mir-flare 1.4.0: 146 MB for 52 atoms of Li6PS5Cl with 43.8
# neighbours and 2664 features, 13 MB for 54 of bcc Li with 56 and 180).
BYTES_A_GRADIENT = 24
# While a frame is described, its gradients are there twice.
TWICE = 2
# Of the kernel between labels and environments: itself, with noise, its product, its factors (measured: 16 frames of
# 54 atoms with all their environments 781 MB in all, this estimate 810; 6 of 52 atoms of Li6PS5Cl 1286, estimate 1380).
KERNEL_COPIES = 10
# Python with torch and FLARE before the first frame.
PROGRAM_BYTES = 400_000_000


@dataclass(frozen=True)
class LearningMemory:
    """Bytes that a leg needs to learn.

    :param frames: for each frame, in the order of learning, what it adds for good.
    :param kernel: kernel matrices between labels and environments.
    """

    frames: tuple[int, ...]
    kernel: int

    @property
    def peak(self) -> int:
        """Most that is held at a time."""
        return PROGRAM_BYTES + sum(self.frames) + (TWICE - 1) * max(self.frames, default=0) + self.kernel


def frame_bytes(n_pairs: int, n_features: int) -> int:
    """Return what one frame takes for good: the gradients of its descriptors.

    :param n_pairs: neighbours of all atoms, each pair counted from both ends.
    """
    return BYTES_A_GRADIENT * n_pairs * n_features


def learning_memory(n_pairs: Sequence[int], n_atoms: Sequence[int], n_features: int, n_sparse: int) -> LearningMemory:
    """Return what learning takes.

    :param n_pairs: ``(n_frames,)`` neighbours of all atoms of each frame, those learned before included.
    :param n_atoms: ``(n_frames,)``
    :param n_sparse: environments once all is learned, at most.
    """
    n_labels = sum(7 + 3 * count for count in n_atoms)
    return LearningMemory(
        tuple(frame_bytes(pairs, n_features) for pairs in n_pairs), KERNEL_COPIES * 8 * n_labels * n_sparse
    )
