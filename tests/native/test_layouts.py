"""Strided, permuted, broadcast and reversed memory, read in place; and objects that cannot be read."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.reference import check
from wellposed import _native

LAYOUTS = {
    "every-second": lambda a: a[:, ::2],
    "rows-left-out": lambda a: a[::3],
    "inner-corner": lambda a: a[2:40, 5:11],
    "transposed": lambda a: a.t(),
    "transposed-slice": lambda a: a[:, 3:77].t(),
    "column": lambda a: a[:, 7],
    "row-broadcast": lambda a: a[3].expand(50, -1),
    "column-broadcast": lambda a: a[:, 3:4].expand(-1, 50),
    "scalar-broadcast": lambda a: a[0, 0].expand(30, 20),
    "windows-that-overlap": lambda a: a.unfold(1, 8, 3),
    "permuted": lambda a: a.reshape(10, 6, -1).permute(2, 0, 1),
    "channels-last": lambda a: a[:60, :80].reshape(4, 15, 8, 10).contiguous(memory_format=torch.channels_last),
    "diagonal": lambda a: a.diagonal(),
    "long-rows": lambda a: a.reshape(-1)[: 4 * 1500].reshape(4, 1500)[:, :1400],
}


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.complex64], ids=str)
def test_layouts(layout: str, dtype: torch.dtype) -> None:
    base = (torch.arange(60 * 130) % 251 - 100).abs().reshape(60, 130).to(dtype)
    array = LAYOUTS[layout](base)
    check(_native.summarise(array), array)
    wide = torch.view_as_real(array.contiguous()) if array.is_complex() else array.double()
    assert _native.count_outside(array, 10, 90) == int(((wide < 10) | (wide > 90)).sum())


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_only_the_elements_of_the_view_count(layout: str) -> None:
    # GIVEN NaN everywhere but where the view looks
    base = torch.full((60, 130), math.nan)
    places = LAYOUTS[layout](torch.arange(60 * 130).reshape(60, 130))
    base.view(-1)[places.reshape(-1)] = 1.0
    array = LAYOUTS[layout](base)
    # THEN none is seen
    assert _native.all_finite(array)
    assert _native.summarise(array).nan == 0
    assert _native.summarise(array).count == array.numel()


@given(st.data())
@settings(deadline=None)
def test_any_numpy_slices(data: st.DataObject) -> None:
    base = np.arange(7 * 8 * 9, dtype=np.float32).reshape(7, 8, 9) - 100
    side = st.slices(7)
    view = base[data.draw(side), data.draw(side), data.draw(side)]
    view = view.transpose(data.draw(st.permutations(range(3))))
    check(_native.summarise(view), view)


@pytest.mark.parametrize("threads", [1, 4])
def test_large_and_not_contiguous(threads: int) -> None:
    base = torch.randn(1100, 1100, generator=torch.Generator().manual_seed(0))
    for view in (base[:, 1:], base[::2].t(), base[:, ::2], base.t(), base[:, :3]):
        check(_native.summarise(view, threads), view)


def test_numpy_arrays_that_only_the_buffer_protocol_gives() -> None:
    array = np.linspace(-3, 4, 100)
    array.flags.writeable = False
    check(_native.summarise(array), array)
    check(_native.summarise(array.data), array)


def test_arrays_not_aligned_to_their_elements() -> None:
    storage = np.frombuffer(b"\0" + np.arange(300, dtype=np.float32).tobytes(), dtype=np.uint8)[1:].view(np.float32)
    check(_native.summarise(storage), np.arange(300, dtype=np.float32))


def test_tensors_that_require_gradients_and_parameters() -> None:
    for tensor in (torch.randn(5, requires_grad=True), torch.nn.Parameter(torch.randn(4, 4))):
        check(_native.summarise(tensor), tensor)


@pytest.mark.parametrize(
    "thing",
    [
        [1.0, 2.0],
        "text",
        None,
        torch.eye(3).to_sparse(),
        torch.empty(3, device="meta"),
        np.array(["a"]),
        np.array([object()]),
        np.zeros(3, dtype=np.longdouble),
        np.zeros(3, dtype=[("flag", "u1"), ("value", "f8")])["value"],
        np.zeros(3, dtype=">f4"),
    ],
    ids=["list", "text", "none", "sparse", "meta", "strings", "objects", "longdouble", "packed", "swapped"],
)
def test_what_cannot_be_read_is_a_type_error(thing: object) -> None:
    for question in (
        lambda: _native.summarise(thing),
        lambda: _native.all_finite(thing),
        lambda: _native.count_outside(thing, 0.0, 1.0),
    ):
        with pytest.raises(TypeError, match=type(thing).__name__):
            question()


def test_an_unknown_instruction_set_lists_the_known() -> None:
    with pytest.raises(ValueError, match="baseline"):
        _native.use_instruction_set("abacus")


def test_the_environment_chooses_the_instruction_set() -> None:
    code = "from wellposed import _native; print(_native.instruction_set())"
    environment = os.environ | {"WELLPOSED_INSTRUCTION_SET": "baseline"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "baseline"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_can_go_on() -> None:
    # GIVEN a pool of threads that exists only in the parent
    array = np.arange(2_000_000, dtype=np.float32)
    before = repr(_native.summarise(array, threads=4))
    # WHEN a child uses it
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        same = repr(_native.summarise(array, threads=4)) == before
        tasks = Path("/proc/self/task")
        alone = tasks.exists() and len(list(tasks.iterdir())) == 1
        os._exit(0 if same and not alone else 1)
    _, status = os.waitpid(child, 0)
    # THEN it neither hangs nor errs, it has threads of its own, and the parent's pool still works
    assert os.waitstatus_to_exitcode(status) == 0
    assert repr(_native.summarise(array, threads=4)) == before


def test_many_python_threads_at_once() -> None:
    array = np.arange(1_500_000, dtype=np.float32)
    want = repr(_native.summarise(array))
    found: list[str] = []

    def work() -> None:
        found.extend(repr(_native.summarise(array, threads=3)) for _ in range(20))

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [want] * 120
