"""Callbacks that nequip-train loads by name from its configuration; only there is lightning imported."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info

OUT_OF_TIME = "seireact: time limit reached"


class StopInTime(Callback):
    """Ends the training after an epoch if the next one would not fit into the time.

    lightning's own timer (2.6) stops in the middle of an epoch, so that no later run could go on exactly from there,
    and remembers in the checkpoint how long it ran, so that every later run would stop at once.

    :param seconds: of training, from its first step on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begun = self._epoch_begun = 0.0
        self._longest = 0.0
        self._is_over = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._begun = self._epoch_begun = time.monotonic()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        now = time.monotonic()
        self._longest = max(self._longest, now - self._epoch_begun)
        self._epoch_begun = now
        # All ranks must agree, else they wait for each other for ever.
        self._is_over = bool(trainer.strategy.broadcast(now - self._begun + self._longest > self.seconds))
        trainer.should_stop = trainer.should_stop or self._is_over

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        # Of the last epoch, or of one after which patience was over too, there is nothing to go on with.
        at_its_end = trainer.current_epoch >= trainer.max_epochs
        patience_over = any(getattr(callback, "stopped_epoch", 0) for callback in trainer.callbacks)
        if self._is_over and not at_its_end and not patience_over:
            rank_zero_info(f"{OUT_OF_TIME}: another epoch of {self._longest:.0f} s does not fit into {self.seconds} s.")


class GoOnShuffling(Callback):
    """Gives the frames the order they would have had if the training had not been interrupted.

    nequip 0.19.1 saves the state of the generator that shuffles, but reads it back after that generator was made, so
    that a continued training repeats the orders of the first epochs.
    """

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
        data = trainer.datamodule
        data.train_generator.set_state(data.train_generator_state)
        data.generator.set_state(data.generator_state)
