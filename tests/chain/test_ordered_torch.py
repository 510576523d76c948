"""`ordered` with eager PyTorch: the same tensors and gradients as without, by fewer multiplications."""

from __future__ import annotations

import copy
import pickle
import threading
import traceback
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import wellposed
from tests.chain.expressions import chain, evaluated, expressions, fewest_multiplications, integers, leaves, matrices

torch = pytest.importorskip("torch")

G = torch.Generator().manual_seed(0)


def randn(*shape: int, **how: Any) -> Any:
    return torch.randn(*shape, generator=G, dtype=torch.float64, **how)


A, B, C = randn(20, 30), randn(30, 25), randn(25, 20)
SQUARE, v = randn(20, 20), randn(20)


def told(function: Any, *args: Any) -> tuple[Any, Any]:
    seen: list[Any] = []
    result = wellposed.ordered(explain=seen.append)(function)(*args)
    return result, seen[0]


def multiplications(o: Any) -> int:
    return sum(rewrite.after * rewrite.times for rewrite in o.rewrites)


def both_ways(expression: Any) -> tuple[Any, Any, Any]:
    tensors = {leaf: torch.from_numpy(integers(*leaf)) for leaf in leaves(expression)}
    plain = evaluated(expression, lambda *leaf: tensors[leaf])
    ordered, o = told(lambda: evaluated(expression, lambda *leaf: tensors[leaf]))
    return plain, ordered, o


@settings(max_examples=200, deadline=None)
@given(expressions())
def test_the_value_is_the_same(expression):
    plain, ordered, o = both_ways(expression)
    assert type(ordered) is torch.Tensor and ordered.dtype == plain.dtype and ordered.shape == plain.shape
    assert steps(ordered) == steps(plain)
    assert torch.equal(ordered, plain)
    assert all(rewrite.after <= rewrite.before for rewrite in o.rewrites)


def steps(tensor):
    """Strides where there is more than one element to step over: elsewhere they mean nothing."""
    if tensor.numel() < 2:
        return ()
    return tuple(step for step, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1)


@settings(max_examples=200, deadline=None)
@given(expressions(batches=True))
def test_the_value_is_the_same_with_batches(expression):
    plain, ordered, _ = both_ways(expression)
    assert ordered.shape == plain.shape and torch.equal(ordered, plain)


@settings(max_examples=100, deadline=None)
@given(matrices(batches=True))
def test_no_order_has_fewer_multiplications(expression):
    _, _, o = both_ways(expression)
    assert multiplications(o) == fewest_multiplications(chain(expression))


def test_the_counter_of_pytorch_sees_as_few():
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        result, o = told(lambda: A @ B @ C @ SQUARE[:, :1])
    assert counter.get_total_flops() == 2 * multiplications(o)
    assert torch.allclose(result, A @ (B @ (C @ SQUARE[:, :1])))


# --- gradients ------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(expressions())
def test_gradients_are_the_same(expression):
    def gradients(function: Any) -> list[Any]:
        tensors = {leaf: torch.from_numpy(integers(*leaf)).requires_grad_() for leaf in leaves(expression)}
        function(lambda: evaluated(expression, lambda *leaf: tensors[leaf]))().sum().backward()
        return [tensor.grad for tensor in tensors.values()]

    for plain, ordered in zip(gradients(lambda f: f), gradients(wellposed.ordered), strict=True):
        assert torch.equal(plain, ordered)


def test_gradcheck():
    inputs = [randn(4, 5, requires_grad=True), randn(5, 6, requires_grad=True), randn(6, requires_grad=True)]
    function = wellposed.ordered(lambda X, Y, x: (2 * (X @ Y)).T.mT @ x / 3)
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


def test_a_training_step_inside_of_a_context():
    def train(context: Any) -> Any:
        torch.manual_seed(0)
        W = torch.nn.Parameter(SQUARE.clone())
        optimizer = torch.optim.SGD([W], lr=1e-3, momentum=0.9)
        for _ in range(3):
            with context():
                optimizer.zero_grad()
                loss = ((W @ W.T @ v) ** 2).mean()
                loss.backward()
                optimizer.step()
        return W.detach(), torch.rand(3)

    from contextlib import nullcontext

    for plain, ordered in zip(train(nullcontext), train(wellposed.ordered), strict=True):
        assert torch.allclose(plain, ordered, rtol=1e-10)


def test_the_backward_pass_counts():
    X, Y, Z = randn(8, 10), randn(10, 4), randn(4, 3, requires_grad=True)
    _, o = told(lambda: X @ (Y @ Z))
    assert [(rewrite.expression, rewrite.after) for rewrite in o.rewrites] == [("(A0·A1)·A2", 512)]


def test_grad_mode_is_that_of_the_line():
    W = SQUARE.clone().requires_grad_()
    with wellposed.ordered():
        with torch.no_grad():
            quiet = W @ W
        loud = W @ W
        with torch.no_grad():
            loud = loud @ v if False else loud
            both = loud @ v
        with torch.inference_mode():
            inferred = W @ W @ v
    assert not quiet.requires_grad and quiet.grad_fn is None
    assert loud.requires_grad and not both.requires_grad and inferred.is_inference()
    loud.sum().backward()
    assert W.grad is not None


def test_custom_functions_get_tensors():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * (x @ torch.eye(20, dtype=x.dtype))

        @staticmethod
        def backward(ctx, gradient):
            return 2 * (gradient @ torch.eye(20, dtype=gradient.dtype))

    original = torch.autograd.Function.__dict__["apply"]
    W = SQUARE.clone().requires_grad_()
    with wellposed.ordered():
        y = Double.apply(W @ W).sum()
        torch.autograd.backward(y)
    assert torch.allclose(W.grad, torch.autograd.grad((2 * (W @ W)).sum(), W)[0])
    assert torch.autograd.Function.__dict__["apply"] is original


# --- other uses -----------------------------------------------------------------------------------------------

USES = [
    torch.sum, torch.exp, torch.relu, torch.linalg.norm, torch.clone, torch.detach, torch.nn.functional.gelu,
    lambda X: X[3], lambda X: X[:, 2], lambda X: X[X > 0], lambda X: X > 0, lambda X: X == X.T, lambda X: X + X,
    lambda X: 1 / X, lambda X: X * X, lambda X: X**2, lambda X: X.sum(), lambda X: X.mean(0), lambda X: X.matmul(X),
    lambda X: X.view(-1), lambda X: X.T.reshape(-1), lambda X: X.float(),
    lambda X: X.to(torch.float32), lambda X: X.cpu(),
    lambda X: torch.cat([X, X]), lambda X: torch.einsum("ij->i", X), lambda X: torch.stack([X, -X]),
    lambda X: X.numpy(),
    lambda X: np.asarray(X), lambda X: X.data, lambda X: X.item() if X.numel() == 1 else X.tolist(), lambda X: repr(X),
    lambda X: f"{X[0, 0]}", lambda X: list(X)[3], lambda X: float(X[0, 0]), lambda X: copy.copy(X), lambda X: X.shape,
    lambda X: copy.deepcopy(X), lambda X: pickle.loads(pickle.dumps(X)), lambda X: X.size(), lambda X: X.size(0),
    lambda X: X.dtype, lambda X: X.ndim, lambda X: len(X), lambda X: X.numel(), lambda X: X.stride(),
    lambda X: X.device,
    lambda X: X.is_contiguous(), lambda X: X.storage_offset(), lambda X: X.requires_grad, lambda X: X.is_leaf,
    lambda X: X.grad_fn, lambda X: X.transpose(0, 1), lambda X: X.permute(1, 0), lambda X: torch.t(X), lambda X: X.mH,
    lambda X: X.H, lambda X: X.adjoint(), lambda X: torch.swapaxes(X, -1, -2),
    lambda X: X.permute(0, 1), lambda X: X * 0,
    lambda X: X * True, lambda X: X * torch.tensor(2.0), lambda X: X * 1j, lambda X: X / 3,
    lambda X: -X, lambda X: 2 - X,
    lambda X: torch.mul(X, 2), lambda X: torch.div(X, 2, rounding_mode="floor"), lambda X: torch.mm(X, X),
    lambda X: X.mv(X[0]), lambda X: X[0].dot(X[1]), lambda X: torch.bmm(X[None], X[None]), lambda X: X[0] @ X @ X[1],
    lambda X: torch.matmul(X, X, out=torch.empty_like(X)), lambda X: torch.linalg.multi_dot([X, X, X]),
    lambda X: torch.nn.Linear(20, 3, dtype=X.dtype)(X).shape, lambda X: isinstance(X, torch.Tensor), lambda X: (X, [X]),
    lambda X: isinstance(torch.nn.Parameter(X), torch.nn.Parameter), lambda X: X.add_(1),
    lambda X: X.T.add_(1), lambda X: torch.where(X > 0, X, -X),
    lambda X: torch.vmap(lambda x: x @ X)(X), lambda X: torch.func.grad(lambda x: (x @ X @ X).sum())(X[0]),
    lambda X: X.sort().values, lambda X: torch.linalg.eigvalsh(X @ X.T), lambda X: X.tolist(), lambda X: X.equal(X),
    lambda X: torch.utils.dlpack.from_dlpack(X), lambda X: X.untyped_storage().nbytes(), lambda X: type(X.clone()),
    lambda X: {X: 1}[X], lambda X: X.new_zeros(3), lambda X: torch.zeros_like(X), lambda X: X.expand(2, 20, 20),
]  # fmt: skip


@pytest.mark.parametrize("use", USES, ids=range(len(USES)))
def test_every_other_use_finds_the_tensor(use):
    def function():
        return use(A @ B @ C)

    assert_same(wellposed.ordered(function)(), function())


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and one.shape == other.shape and one.requires_grad == other.requires_grad
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)
    elif isinstance(one, np.ndarray):
        assert np.allclose(one, other)
    elif isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other)
    elif not isinstance(one, str):
        assert one == other


def test_what_is_held_becomes_an_ordinary_tensor():
    with wellposed.ordered():
        y = A @ B @ C @ v
        alias = y
        assert type(y) is not torch.Tensor and isinstance(y, torch.Tensor) and y.shape == (20,)
        y.sum()
        assert type(y) is torch.Tensor and alias is y
        z = A @ B
        turned = z.T
    assert type(z) is torch.Tensor
    turned[0, 0] = 7  # a view of z, as it would have been
    assert z[0, 0] == 7


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.add_(1), lambda X: X.__setitem__(0, 1.0), lambda X: X[1].zero_(), lambda X: X.T.mul_(2),
        lambda X: torch.add(X, 1, out=X), lambda X: X.__iadd__(1), lambda X: torch.nn.functional.relu(X, True),
        lambda X: torch.nn.functional.relu(X, inplace=True), lambda X: torch._foreach_add_([X], 1.0),
        lambda X: torch.nn.init.zeros_(X),
        lambda X: X.copy_(X.T.clone()),
        lambda X: setattr(X, "data", torch.ones_like(X)),
        lambda X: torch.nn.functional.batch_norm(X, X[0], X[1] ** 2, training=True),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_change_comes_after_the_products_that_were_written_before_it(change):
    def function(X):
        T = X @ X
        before = T @ v
        change(X)
        return before, X @ X @ v, T

    mine, yours = SQUARE.clone(), SQUARE.clone()
    assert_same(wellposed.ordered(function)(yours), function(mine))
    assert torch.equal(mine, yours)


def test_a_change_that_cannot_be_seen_is_an_error_and_not_a_wrong_number():
    X = SQUARE.clone()
    with pytest.raises(RuntimeError, match="changed in place"), wellposed.ordered():
        y = X @ X @ v
        thread = threading.Thread(target=lambda: X.add_(1))
        thread.start()
        thread.join()
        y.sum()


# --- what is left alone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_multiplied_as_written(dtype):
    P, Q, R = torch.full((64, 4), 1e-3), torch.full((4, 256), 60.0), torch.full((256, 1), 60.0)
    P, Q, R = P.to(dtype), Q.to(dtype), R.to(dtype)
    result, o = told(lambda: P @ Q @ R)
    assert torch.equal(result, P @ Q @ R) and result.isfinite().all() and not o.rewrites


def test_autocast_is_left_alone():
    X, x = SQUARE.float(), v.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain, (ordered, o) = X @ X @ x, told(lambda: X @ X @ x)
    assert ordered.dtype == plain.dtype and torch.equal(plain, ordered) and not o.rewrites


def test_integers_wrap_around_exactly():
    X = (SQUARE * 50).to(torch.int8)
    assert torch.equal(wellposed.ordered(lambda: X @ X @ X[:, :1])(), X @ X @ X[:, :1])


WRONG = [
    lambda: A @ B @ v, lambda: torch.mm(A @ B, v), lambda: (A @ B).mv(A), lambda: A @ B @ C.float(),
    lambda: torch.bmm(A @ B, C), lambda: (A @ B).dot(v), lambda: v @ (A @ B) @ v,
]  # fmt: skip


@pytest.mark.parametrize("write", WRONG, ids=range(len(WRONG)))
def test_shapes_that_do_not_fit_raise_where_they_are_written_as_pytorch_raises(write):
    with pytest.raises(RuntimeError) as plain:
        write()
    with pytest.raises(RuntimeError) as ordered:
        wellposed.ordered(write)()
    assert str(ordered.value) == str(plain.value)
    assert write.__code__ in [frame.f_code for frame, _ in traceback.walk_tb(ordered.value.__traceback__)]


@pytest.mark.filterwarnings("ignore")
def test_compiled_functions_get_tensors():
    compiled = torch.compile(lambda X, v: torch.tanh(X @ v), backend="aot_eager")
    W = SQUARE.clone().requires_grad_()
    with wellposed.ordered():
        y = compiled(W @ W, v)
        y.sum().backward()
    assert torch.allclose(y, torch.tanh(W @ W @ v))
    assert torch.allclose(W.grad, torch.autograd.grad(torch.tanh(W @ W @ v).sum(), W)[0])


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_recompute_what_was_computed(reentrant):
    from torch.utils.checkpoint import checkpoint

    W = (SQUARE / 9).requires_grad_()
    with wellposed.ordered():
        y = checkpoint(lambda w: torch.tanh(w @ w @ v), W @ W, use_reentrant=reentrant).sum()
        y.backward()
    plain = torch.autograd.grad(torch.tanh((W @ W) @ (W @ W) @ v).sum(), W)[0]
    assert torch.allclose(W.grad, plain)


def test_no_mode_is_left_behind():
    from torch.overrides import _get_current_function_mode_stack

    before, apply = list(_get_current_function_mode_stack()), torch.autograd.Function.__dict__["apply"]
    kept = []
    with pytest.raises(ZeroDivisionError), wellposed.ordered():
        kept.append(A @ B)
        1 / 0  # noqa: B018
    assert list(_get_current_function_mode_stack()) == before
    assert torch.autograd.Function.__dict__["apply"] is apply
    assert type(A @ B) is torch.Tensor
    # What was written before the error can still be used.
    assert torch.equal(kept[0] + 0, A @ B)


def test_nested_contexts():
    with wellposed.ordered() as outer:
        T = A @ B
        with wellposed.ordered() as inner:
            y = T @ C @ v
        z = T @ C @ v
    assert torch.allclose(y, A @ B @ C @ v) and torch.allclose(z, y)
    assert len(inner.rewrites) == 1 and outer.rewrites


def test_threads():
    results: list[Any] = []

    def work():
        with wellposed.ordered():
            results.append(float(sum((SQUARE @ SQUARE @ (k * v)).sum() for k in range(50))))

    with wellposed.ordered():
        shared = A @ B @ C
        threads = [threading.Thread(target=work) for _ in range(3)]
        threads += [threading.Thread(target=lambda: results.append(float((shared + 0).sum()))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 6 and len({round(result, 6) for result in results}) == 2


def test_random_numbers_are_untouched():
    def draw():
        torch.manual_seed(3)
        y = A @ B @ C @ v
        return torch.rand(3), y

    assert torch.equal(wellposed.ordered(draw)()[0], draw()[0])


def test_a_module():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.U, self.V = torch.nn.Parameter(randn(20, 2)), torch.nn.Parameter(randn(2, 20))

        @wellposed.ordered
        def forward(self, x):
            return torch.tanh(self.U @ self.V @ x)

    net = Net()
    assert torch.allclose(net(v), torch.tanh(net.U @ (net.V @ v)))
    net(v).sum().backward()
    assert net.U.grad is not None


def test_a_long_chain():
    X = torch.eye(2, dtype=torch.float64)

    @wellposed.ordered
    def function():
        Y = X
        for _ in range(2500):
            Y = Y @ X
        return Y

    assert torch.equal(function(), X)
