"""Whether several written arguments lie on the same elements, so that the operator's order of writing matters."""

from __future__ import annotations

import itertools

import torch


def written_twice(tensors: list[torch.Tensor]) -> str:
    """Why these arguments cannot be written independently of each other; empty where they can."""
    by_storage: dict[int, list[torch.Tensor]] = {}
    for each in tensors:
        by_storage.setdefault(each.untyped_storage()._cdata, []).append(each)
    if any(_overlap(each) for each in by_storage.values() if len(each) > 1):
        return "it writes the same memory more than once"
    return ""


def _overlap(tensors: list[torch.Tensor]) -> bool:
    """Whether tensors of one storage share elements; optimizers may keep all parameters side by side in one."""
    if len({each.element_size() for each in tensors}) > 1:
        return True
    spans = sorted((each.storage_offset(), each.storage_offset() + _reach(each)) for each in tensors if each.numel())
    if all(first[1] <= second[0] for first, second in itertools.pairwise(spans)):
        return False
    elements = tensors[0].untyped_storage().nbytes() // tensors[0].element_size()
    written = torch.zeros(elements, dtype=torch.bool)
    for each in tensors:
        own = written.as_strided(each.shape, each.stride(), each.storage_offset())
        if bool(own.any()):
            return True
        own.fill_(True)
    return False


def _reach(tensor: torch.Tensor) -> int:
    """Elements from the first to the end of the last."""
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
