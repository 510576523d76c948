"""The few functions of PyTorch that are wrapped while recording, and put back as they were."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

_MISSING = object()


class Patches:
    """Replaces attributes and restores them, in reverse order."""

    def __init__(self) -> None:
        self._saved: list[tuple[Any, str, Any, Any]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replace ``owner.name`` by ``make(original)``; does nothing where there is no such attribute."""
        original = getattr(owner, name, _MISSING)
        if original is _MISSING:
            return
        wrapped = functools.wraps(original)(make(original))
        saved = vars(owner).get(name, _MISSING) if isinstance(owner, type) else original
        self._saved.append((owner, name, saved, wrapped))
        setattr(owner, name, wrapped)

    def restore(self) -> None:
        for owner, name, saved, wrapped in reversed(self._saved):
            if getattr(owner, name, None) is not wrapped:
                continue  # somebody wrapped it after us: taking theirs away is not ours to do
            if saved is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, saved)
        self._saved = []


def force_eager(patches: Patches, on_compile: Callable[[], None]) -> None:
    """Let ``torch.compile`` return models that run eagerly, so that their operators can be seen.

    `on_compile` is called the first time the program compiles something.
    """

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def compile(*args: Any, **kwargs: Any) -> Any:
            on_compile()
            return original(*args, **kwargs)

        return compile

    patches.wrap(torch, "compile", make)
