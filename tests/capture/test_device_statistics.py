"""Statistics of tensors that only an accelerator can read, tried on the processor, and on a GPU where there is one."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch.testing._internal.two_tensor import TwoTensor

from tests.capture.statistics_cases import FLOATS, FLOATS_OF_8_BITS, RANGE, assert_agrees, edges, layouts, spreads
from wellposed.capture import device_statistics_torch
from wellposed.capture.device_rows import CHUNK_ROWS
from wellposed.capture.device_statistics import Check, DeviceStatistics, Summary

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


def _cases(count: int) -> dict[str, torch.Tensor]:
    tensors = dict(layouts())
    for dtype in FLOATS:
        tensors |= {f"{dtype} {name}": tensor for name, tensor in [*edges(dtype), *spreads(dtype, count)]}
    return tensors


@pytest.fixture
def statistics() -> DeviceStatistics:
    return DeviceStatistics(triton=False)


def test_operators_agree_with_the_native_core(statistics: DeviceStatistics) -> None:
    tensors = _cases(3000)
    for name, tensor in tensors.items():
        assert statistics.enqueue(name, tensor, RANGE)
    found = statistics.fetch()
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert_agrees(found[name], tensor, name)


def test_pieces_of_a_large_tensor_are_merged(statistics: DeviceStatistics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_statistics_torch, "_PIECE_ELEMENTS", 170)
    tensors = _cases(1000)
    for name, tensor in tensors.items():
        statistics.enqueue(name, tensor, RANGE)
    for name, found in statistics.fetch().items():
        assert_agrees(found, tensors[str(name)], str(name))


def test_without_a_range_nothing_is_saturated(statistics: DeviceStatistics) -> None:
    statistics.enqueue("key", torch.ones(3))
    found = statistics.fetch()["key"]
    assert isinstance(found, Summary)
    assert found.saturated == -1


def test_buffers_grow_by_chunks_and_are_used_again(statistics: DeviceStatistics) -> None:
    for _ in range(2):
        for number in range(CHUNK_ROWS + 5):
            statistics.enqueue(number, torch.tensor([float(number)]))
            statistics.enqueue_check(("check", number), torch.tensor([float(number)]))
        statistics.enqueue_values("loss", torch.tensor(0.25))
        assert statistics.pending == 2 * CHUNK_ROWS + 11
        found = statistics.fetch()
        assert all(found[number].minimum == number for number in range(CHUNK_ROWS + 5))
        assert found["loss"] == [0.25]
        assert statistics.pending == 0
    assert statistics.fetch() == {}


@pytest.mark.parametrize("dtype", [*FLOATS, *FLOATS_OF_8_BITS, torch.complex64])
def test_checks_tell_nan_and_infinity(statistics: DeviceStatistics, dtype: torch.dtype) -> None:
    good = torch.linspace(-2, 2, 12).to(dtype).reshape(3, 4)
    nan, infinite = good.clone(), good.clone()
    nan.view(-1)[3:4] = torch.tensor(float("nan")).to(dtype)
    infinite.view(-1)[5:6] = torch.tensor(float("-inf")).to(dtype)
    tensors = {"good": good, "nan": nan, "infinite": infinite, "transposed": nan.t()}
    for name, tensor in tensors.items():
        assert statistics.enqueue_check(name, tensor)
    found = statistics.fetch()
    assert found["good"] == Check(False, False, False)
    assert found["nan"] == found["transposed"] == Check(True, False, False)
    if bool(torch.isinf(infinite.to(torch.complex64)).any()):  # not every kind of float8 has infinities
        assert found["infinite"] == Check(False, False, True)


def test_tensors_without_memory_are_refused(statistics: DeviceStatistics) -> None:
    assert not statistics.enqueue("meta", torch.empty(3, device="meta"))
    assert not statistics.enqueue("sparse", torch.eye(3).to_sparse())
    assert not statistics.enqueue_check("empty", torch.empty(0))
    assert not statistics.enqueue("two in a byte", torch.empty(3, dtype=torch.float4_e2m1fn_x2))
    assert not statistics.enqueue("wrapped", TwoTensor(torch.ones(3), torch.ones(3)))
    assert statistics.fetch() == {}


def test_no_reference_no_graph_no_random_number(statistics: DeviceStatistics) -> None:
    tensor = torch.randn(50, requires_grad=True)
    gone = weakref.ref(tensor)
    state = torch.get_rng_state()
    statistics.enqueue("statistics", tensor)
    statistics.enqueue_check("check", tensor)
    statistics.enqueue_values("values", tensor[:2])
    with torch.no_grad():
        first = tensor[:2].tolist()
        tensor.zero_()
    del tensor
    gc.collect()
    assert gone() is None
    assert torch.equal(state, torch.get_rng_state())
    found = statistics.fetch()
    assert found["values"] == first
    assert found["statistics"].zero == 0


def test_forgotten_questions_are_not_answered(statistics: DeviceStatistics) -> None:
    statistics.enqueue("old", torch.ones(3))
    statistics.enqueue_check("old", torch.ones(3))
    statistics.enqueue_values("old", torch.ones(3))
    statistics.forget()
    statistics.enqueue("new", torch.zeros(3))
    assert list(statistics.fetch()) == ["new"]


@needs_triton
@pytest.mark.slow
def test_triton_kernel_in_the_interpreter() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.capture.triton_interpreted"],
        env={**os.environ, "TRITON_INTERPRET": "1"}, cwd=root, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "agree" in done.stdout


@needs_gpu
@pytest.mark.parametrize("triton", [False, pytest.param(True, marks=needs_triton)])
def test_gpu_agrees_and_does_not_wait(triton: bool) -> None:
    tensors = _cases(100_000)
    on_gpu = {name: tensor.cuda() for name, tensor in tensors.items()}
    statistics = DeviceStatistics(triton=triton)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for name, tensor in on_gpu.items():
            assert statistics.enqueue(name, tensor, RANGE)
            statistics.enqueue_check(("check", name), tensor)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found = statistics.fetch()
    for name, tensor in tensors.items():
        assert_agrees(found[name], tensor, name)
        if tensor.numel():
            want = found[name]
            check = found["check", name]
            assert check.nan == (want.nan > 0), name
            assert check.nan or check[1:] == (want.positive_infinity > 0, want.negative_infinity > 0), name
    if triton:
        assert statistics._kernel is not device_statistics_torch.summarise, "the kernel did not compile"


@needs_gpu
def test_gpu_rows_of_several_streams() -> None:
    statistics = DeviceStatistics()
    tensors = [torch.full((1 << 20,), float(number), device="cuda") for number in range(8)]
    torch.cuda.synchronize()
    for number, tensor in enumerate(tensors):
        with torch.cuda.stream(torch.cuda.Stream()):
            statistics.enqueue(number, tensor)
    found = statistics.fetch()
    assert [found[number].mean for number in range(8)] == list(range(8))


@needs_gpu
def test_gpu_graph_capture_is_left_alone() -> None:
    statistics = DeviceStatistics()
    tensor = torch.ones(100, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        doubled = tensor * 2
        assert not statistics.enqueue("captured", doubled)
    graph.replay()
    assert statistics.fetch() == {}
