"""Listens to the operators that early warnings are about: softmaxes of outputs and of attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from wellposed.capture.device_readings import DeviceReadings
from wellposed.capture.samples import Feed

FEWEST_KEYS = 8
"""Attention over fewer keys tells nothing about its entropy."""

_aten = torch.ops.aten
_FUSED = (
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
)
_PASSED_ON = ("native_dropout.default", "mul.Tensor", "clone.default", "_to_copy.default")
_MIXES = ("bmm.default", "mm.default")


class Ears:
    """Hears each operator of the forward pass; the caller has paused recording."""

    def __init__(self, readings: DeviceReadings, feed: Feed, place: Callable[[], str]):
        """`place` names the module that is running."""
        self._readings = readings
        self._feed = feed
        self._place = place
        self._softmaxes: dict[int, tuple[str, int, list[tuple[Any, ...]]]] = {}
        """By the memory of a softmax's result: its place, its keys, statistics of its input and of its result."""
        self._hears: dict[Any, Callable[[tuple[Any, ...], Any], None]] = {
            _aten._log_softmax.default: self._log_softmax,
            _aten._softmax.default: self._softmax,
        }
        for name in _FUSED:
            if hasattr(_aten, name):
                self._hears[getattr(_aten, name).default] = self._fused_attention
        for names, what in ((_PASSED_ON, self._passed_on), (_MIXES, self._mixed)):
            for name in names:
                packet, overload = name.split(".")
                self._hears[getattr(getattr(_aten, packet), overload)] = what

    def __call__(self, func: Any, args: tuple[Any, ...], out: Any) -> None:
        hear = self._hears.get(func)
        if hear is not None and torch.is_grad_enabled():
            hear(args, out)

    def forget(self) -> None:
        """A step is over."""
        self._softmaxes.clear()

    def _log_softmax(self, args: tuple[Any, ...], out: torch.Tensor) -> None:
        """log_softmax(x) is x - log Z, so that the means differ by the mean of log Z."""
        place, logits = self._place(), args[0]

        def logits_known(given: tuple[Any, ...]) -> None:
            def result_known(result: tuple[Any, ...]) -> None:
                if _all_finite(given) and _all_finite(result):
                    self._feed("log_partition", given[9] - result[9], place)

            self._readings.statistics(out, result_known)

        self._readings.statistics(logits, logits_known)

    def _softmax(self, args: tuple[Any, ...], out: torch.Tensor) -> None:
        dim = args[1] if len(args) > 1 else -1
        if out.dim() < 3 or dim not in (-1, out.dim() - 1):
            return
        known: list[tuple[Any, ...]] = []
        self._readings.statistics(args[0], known.append)
        self._readings.statistics(out, known.append)
        self._softmaxes[_memory(out)] = (self._place(), out.shape[-1], known)

    def _passed_on(self, args: tuple[Any, ...], out: Any) -> None:
        """Dropout, or a cast, of what a softmax made."""
        if not self._softmaxes or not isinstance(args[0], torch.Tensor):
            return
        found = self._softmaxes.get(_memory(args[0]))
        if found is not None:
            self._softmaxes[_memory(out[0] if isinstance(out, tuple) else out)] = found

    def _mixed(self, args: tuple[Any, ...], _out: Any) -> None:
        """Probabilities that mix values: it was attention."""
        found = self._softmaxes.pop(_memory(args[0]), None) if self._softmaxes else None
        if found is not None:
            self._readings.afterwards(lambda: self._attention_known(*found))

    def _attention_known(self, place: str, keys: int, known: list[tuple[Any, ...]]) -> None:
        if len(known) < 2 or not _all_finite(known[1]):
            return
        logits, probabilities = known
        if logits[7] is not None:
            self._feed("attention_logit", logits[7], place)
        if keys >= FEWEST_KEYS and probabilities[11]:
            self._feed("attended_keys", 1.0 / (keys * probabilities[11] ** 2), place)

    def _fused_attention(self, args: tuple[Any, ...], out: Any) -> None:
        """The fused operators give log Σ exp(logits), which is at most log(keys) above the largest logit."""
        if not isinstance(out, tuple) or len(out) < 2 or not isinstance(out[1], torch.Tensor) or not out[1].numel():
            return
        place, keys = self._place(), args[1].shape[-2]

        def known(found: tuple[Any, ...]) -> None:
            if found[7] is not None:
                self._feed("attention_logit", found[7] - math.log(max(keys, 1)), place)

        self._readings.statistics(out[1], known)


def _memory(tensor: torch.Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):  # a wrapper without memory of its own
        return 0


def _all_finite(statistics: tuple[Any, ...]) -> bool:
    return statistics[0] is not None and not (statistics[1] + statistics[2] + statistics[3]) and bool(statistics[0])
