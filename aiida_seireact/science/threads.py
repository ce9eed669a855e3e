"""Pieces of work shared by the cores of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiida_seireact.science.packages import CLASSIFY, MissingPackageError

Piece = TypeVar("Piece")


def for_each(function: Callable[[Piece], None], pieces: Iterable[Piece]) -> None:
    """Call a function that lets go of the interpreter on every piece, on as many threads as numba may use.

    ``NUMBA_NUM_THREADS`` sets them, else there are as many as cores. BLAS runs on one thread meanwhile: a product that
    shares the cores with others waits for the slowest of its own.

    :raises MissingPackageError: numba or threadpoolctl is not installed.
    """
    try:
        from numba import get_num_threads
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingPackageError.of(error, "loops on several cores", CLASSIFY) from None
    with threadpool_limits(1, user_api="blas"):
        if get_num_threads() == 1:
            for piece in pieces:
                function(piece)
            return
        with ThreadPoolExecutor(get_num_threads()) as pool:
            for _ in pool.map(function, pieces):
                pass
