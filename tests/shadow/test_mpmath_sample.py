"""Exact values on a sample of elements."""

from __future__ import annotations

import subprocess
import sys

import mpmath
import pytest
import torch

from tests.shadow.double_double_oracle import aten, exact, pair_of
from wellposed.shadow.double_double import DoubleDouble
from wellposed.shadow.mpmath_functions import ELEMENTWISE
from wellposed.shadow.mpmath_sample import positions, sampled

DOMAIN = {
    "acosh": (1.1, 4), "asin": (-0.9, 0.9), "acos": (-0.9, 0.9), "atanh": (-0.9, 0.9), "erfinv": (-0.9, 0.9),
    "logit": (0.1, 0.9), "special_ndtri": (0.1, 0.9), "special_zeta": (1.5, 4), "rsub": (-2, 2),
}  # fmt: skip
OVERLOADS = {"pow": "Tensor_Tensor", "lerp": "Tensor", "special_erfcx": "default"}


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_every_function_is_what_pytorch_computes(name: str) -> None:
    packet = getattr(aten, name)
    names = packet.overloads()
    overload = OVERLOADS.get(name) or next(each for each in ("Tensor", "default", *names) if each in names)
    operator = getattr(packet, overload)
    tensors = [each for each in operator._schema.arguments if str(each.type) == "Tensor"]
    low, high = DOMAIN.get(name, (0.2, 3.0))
    args = [torch.linspace(low, high, 7, dtype=torch.float64).roll(place) for place in range(len(tensors))]
    given = (2, *args) if name == "polygamma" else tuple(args)
    result = operator(*given)
    sample = sampled(operator, given, {})
    assert sample.shape == tuple(result.shape)
    # PyTorch's own Bessel functions are off by 2e-11.
    bound = 1e-10 if "bessel" in name else 1e-13
    assert float((sample.distances(result) / result.abs().clamp(min=1e-3)).abs().max()) < bound


def test_a_sample_agrees_with_double_double_beyond_float64() -> None:
    x = pair_of([0.1, 0.7, 2.3], [0.5, -0.5, 0.25])
    sample = sampled(aten.exp.default, (x,), {}, digits=60)
    shadow = DoubleDouble().apply(aten.exp.default, (x,), {})
    pairs = zip(exact(sample.pair()), exact(shadow), strict=True)
    assert all(abs(one - other) < 2.0**-100 * abs(one) for one, other in pairs)


@pytest.mark.parametrize(
    ("operator", "args", "kwargs"),
    [
        (aten.sum.default, (), {}),
        (aten.sum.dim_IntList, ([1], True), {}),
        (aten.mean.dim, ([0],), {}),
        (aten.prod.dim_int, (1,), {}),
        (aten.var.correction, ([0],), {"correction": 0}),
        (aten.std.correction, (None,), {}),
        (aten.linalg_vector_norm.default, (3, [-1]), {}),
        (aten.logsumexp.default, ([1],), {}),
    ],
)
def test_reductions(operator, args, kwargs) -> None:
    x = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    result = operator(x, *args, **kwargs)
    sample = sampled(operator, (x, *args), kwargs)
    assert sample.shape == tuple(result.shape)
    assert float(sample.distances(result).abs().max()) < 1e-13


def test_products_of_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2, 9, 9, dtype=torch.float64, generator=generator) for _ in range(2))
    sample = sampled(aten.bmm.default, (a, b), {}, elements=20)
    assert len(sample.positions) == 20 and sample.positions[-1] == 161
    assert float(sample.distances(a @ b).abs().max()) < 1e-13
    assert float(sampled(aten.dot.default, (a[0, 0], b[0, 0]), {}).distances(a[0, 0] @ b[0, 0]).abs()) < 1e-13


def test_cancellation_that_float64_cannot_see() -> None:
    x = torch.tensor([1e16, 1.0, -1e16], dtype=torch.float64)
    assert sampled(aten.sum.default, (x,), {}).values[0] == 1


def test_positions_are_chosen_by_place_alone() -> None:
    state = torch.get_rng_state()
    assert positions(3, 64) == [0, 1, 2]
    assert positions(1000, 3) == [0, 500, 999] and positions(10, 1) == [0]
    sample = sampled(aten.exp.default, (torch.zeros(100, 100, dtype=torch.float64),), {})
    assert len(sample.positions) == 64 and sample.positions[0] == 0 and sample.positions[-1] == 9999
    assert torch.equal(torch.get_rng_state(), state)


def test_infinities_come_from_float64() -> None:
    x = torch.tensor([0.0, -0.0, float("inf"), 2.0], dtype=torch.float64)
    values = [float(each) for each in sampled(aten.reciprocal.default, (x,), {}).values]
    assert values == [float("inf"), -float("inf"), 0.0, 0.5]
    assert str(sampled(aten.log.default, (torch.tensor([-1.0], dtype=torch.float64),), {}).values[0]) == "nan"


def test_the_precision_of_the_program_stays() -> None:
    before = mpmath.mp.dps
    sampled(aten.exp.default, (torch.ones(1, dtype=torch.float64),), {}, digits=90)
    assert mpmath.mp.dps == before


def test_what_cannot_be_sampled_says_so() -> None:
    x = torch.zeros(2, 2, dtype=torch.float64)
    with pytest.raises(NotImplementedError, match="no form in mpmath"):
        sampled(aten.linalg_qr.default, (x,), {})
    with pytest.raises(NotImplementedError, match="terms"):
        sampled(aten.sum.default, (torch.zeros(2**18 + 1, dtype=torch.float64),), {})
    with pytest.raises(ValueError, match="at least one"):
        sampled(aten.exp.default, (x,), {}, elements=0)


def test_without_mpmath_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['mpmath'] = None\n"
        "import torch\nfrom wellposed.shadow.mpmath_sample import sampled\n"
        "try: sampled(torch.ops.aten.exp.default, (torch.ones(1),), {})\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'wellposed[digits]'" in done.stdout
