"""Run with TRITON_INTERPRET=1: the Triton kernel, executed step by step on the processor, against the native core."""

from __future__ import annotations

import torch

from tests.capture.statistics_cases import FLOATS, RANGE, assert_agrees, edges, spreads
from wellposed.capture import device_statistics_triton as kernel
from wellposed.capture.device_statistics import DeviceStatistics


def main() -> None:
    # Small tiles and few programs, so that small tensors take every path: one program, several, several rounds of each.
    kernel.TILE, kernel.TILES_OF_ONE, kernel.MOST_PROGRAMS = 64, 2, 4
    statistics = DeviceStatistics(triton=True)
    tensors: dict[str, torch.Tensor] = {}
    for dtype in FLOATS:
        tensors |= {f"{dtype} {name}": tensor for name, tensor in edges(dtype)}
        for count in (100, 640) if dtype in (torch.float32, torch.float64) else (640,):
            tensors |= {f"{dtype} {name} {count}": tensor for name, tensor in spreads(dtype, count)}
    tensors["integers"], tensors["booleans"] = torch.arange(-70, 70), torch.arange(9) > 4
    for name, tensor in tensors.items():
        assert statistics.enqueue(name, tensor, RANGE)
    assert statistics._kernel is kernel.summarise, "the kernel failed, and PyTorch's operators took its place"
    for name, found in statistics.fetch().items():
        assert_agrees(found, tensors[str(name)], str(name))
    print(f"{len(tensors)} tensors agree")


if __name__ == "__main__":
    main()
