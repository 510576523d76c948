"""What becomes of values in a narrower format, against PyTorch's own casts."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wellposed.advice.formats import TARGETS, fate_of, target_of
from wellposed.record import Spread, Statistics

torch = pytest.importorskip("torch")

from wellposed.capture.spreads import exponents_of  # noqa: E402
from wellposed.integrations.fake_precision import round_to  # noqa: E402

MAGNITUDES = st.floats(-160.0, 127.0).map(lambda power: 2.0**power)
VALUES = st.lists(st.one_of(st.just(0.0), MAGNITUDES, MAGNITUDES.map(lambda value: -value)), min_size=1, max_size=40)


def _measured(values):
    finite = values[torch.isfinite(values)].double()
    nonzero = finite[finite != 0].abs()
    return Statistics(
        count=values.numel(), nan=0, positive_infinity=0, negative_infinity=0, zero=int((values == 0).sum()),
        subnormal=0, minimum=float(finite.min()), maximum=float(finite.max()),
        smallest_nonzero=float(nonzero.min()) if len(nonzero) else math.nan, mean=float(finite.mean()),
        standard_deviation=float(finite.std(unbiased=False)), root_mean_square=float(finite.square().mean().sqrt()),
    )  # fmt: skip


def _spread(values):
    lowest, counts, zero = exponents_of(values)
    return Spread(lowest, tuple(json.loads(counts)), zero)


@pytest.mark.parametrize("name", TARGETS)
def test_the_limits_are_where_pytorch_rounds_over_them(name):
    """One float32 below the limit stays, the limit itself does not."""
    target = target_of(name)
    dtype = getattr(torch, name)
    at = torch.tensor([target.overflow, target.vanish], dtype=torch.float64).float()
    inside = torch.nextafter(at, torch.tensor([0.0, 1.0]))
    if target.has_infinity:
        assert math.isinf(at.to(dtype).float()[0])
    assert float(inside.to(dtype).double()[0]) == target.limits.largest
    assert at.to(dtype).float()[1] == 0
    assert inside.to(dtype).double()[1] == target.limits.smallest_subnormal


def test_a_format_without_infinity_is_clipped():
    clipped = round_to(torch.tensor([1e5, -500.0, math.inf, math.nan, 100.0]), target_of("float8_e4m3fn"))
    assert clipped[:3].tolist() == [448.0, -448.0, 448.0]
    assert math.isnan(clipped[3])
    assert clipped[4] == 96.0  # 100 lies halfway between 96 and 104; the even significand wins


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from(TARGETS))
@example([65519.0, 65520.0], "float16")
@example([2.0**-25, 3.0 * 2.0**-26], "float16")
def test_whether_anything_is_lost_is_exact_and_shares_miss_a_binade_at_most(values, name):
    target = target_of(name)
    tensor = torch.tensor(values, dtype=torch.float64).float()
    held = tensor.double()
    cast = held.to(getattr(torch, name)).double()
    over = int((held.abs() >= target.overflow).sum())
    gone = int(((cast == 0) & (held != 0)).sum())
    fate = fate_of(_measured(tensor), _spread(tensor), target)
    assert (fate.overflow > 0, fate.vanish > 0) == (over > 0, gone > 0)
    for share, count, limit in ((fate.overflow, over, target.overflow), (fate.vanish, gone, target.vanish)):
        # The binade of the limit is not looked into.
        low = 2.0 ** math.floor(math.log2(limit))
        unsure = int(((held.abs() >= low) & (held.abs() < 2 * low)).sum())
        assert abs(share * len(values) - count) <= unsure + 1e-9
    # Without counts, the extremes prove no more than is true.
    proved = fate_of(_measured(tensor), None, target)
    assert proved.overflow * len(values) <= over + 1e-9 and proved.vanish * len(values) <= gone + 1e-9
    assert (proved.overflow > 0, proved.vanish > 0) == (over > 0, gone > 0)
    if proved.exact:
        assert proved.overflow * len(values) == pytest.approx(over)
        assert proved.vanish * len(values) == pytest.approx(gone)


@settings(max_examples=100, deadline=None)
@given(VALUES, st.sampled_from(TARGETS), st.integers(-20, 20))
def test_a_scale_shifts_what_is_lost(values, name, power):
    target = target_of(name)
    tensor = torch.tensor(values, dtype=torch.float64).float()
    scaled = fate_of(_measured(tensor), _spread(tensor), target, 2.0**power)
    truth = tensor.double() * 2.0**power
    cast = truth.to(getattr(torch, name)).double()
    assert (scaled.overflow > 0) == bool((truth.abs() >= target.overflow).any())
    assert (scaled.vanish > 0) == bool(((cast == 0) & (truth != 0)).any())


def test_exponents_are_those_of_the_definition():
    tensor = torch.tensor([0.0, 1.0, 1.5, 2.0, -0.25, math.inf, math.nan, 2.0**-149])
    lowest, counts, zero = exponents_of(tensor)
    found = {lowest + index: count for index, count in enumerate(json.loads(counts)) if count}
    assert found == {0: 2, 1: 1, -2: 1, -149: 1} and zero == 1


def test_other_formats_are_refused_with_what_there_is():
    with pytest.raises(ValueError, match="choose one of float16, bfloat16"):
        target_of("int8")
    assert target_of(torch.float16).name == "float16"
