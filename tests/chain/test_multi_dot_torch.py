"""`multi_dot` of tensors, against `torch.linalg.multi_dot`, products from left to right, and PyTorch's FLOP counter."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chain.test_multi_dot import arrays_of, chains, stacks
from wellposed import matrix_chain_multiplication, multi_dot
from wellposed.chain.symbolic import order_of_symbols

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")


def tensors_of(shapes, dtype="float64", seed=0):
    return [torch.from_numpy(array) for array in arrays_of(shapes, dtype, seed)]


def multiplications(call):
    """Scalar multiplications as PyTorch counts them: two operations each."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() // 2


# --- the same as PyTorch's ------------------------------------------------------------------------------------


@given(chains(), st.sampled_from(["uint8", "int32", "int64", "float32", "float64", "complex64", "complex128"]))
@settings(deadline=None)
def test_is_torchs_multi_dot(shapes, dtype):
    tensors = tensors_of(shapes, dtype)
    theirs, ours = torch.linalg.multi_dot(tensors), multi_dot(tensors)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs)


@given(stacks())
@settings(deadline=None)
def test_batches_broadcast(shapes):
    tensors = tensors_of(shapes)
    np.testing.assert_array_equal(multi_dot(tensors).numpy(), multi_dot(arrays_of(shapes)))


@given(
    chains(), st.lists(st.sampled_from(["uint8", "int64", "float32", "float64", "complex64"]), min_size=8, max_size=8)
)
@settings(deadline=None)
def test_mixed_dtypes_are_promoted(shapes, dtypes):
    tensors = [tensor.to(getattr(torch, dtype)) for tensor, dtype in zip(tensors_of(shapes), dtypes, strict=False)]
    dtype = reduce(torch.promote_types, [tensor.dtype for tensor in tensors])
    ours = multi_dot(tensors)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours, torch.linalg.multi_dot([tensor.to(dtype) for tensor in tensors]))


def test_a_long_chain_is_ordered_by_us():
    tensors = tensors_of(pairwise([3, 1] * 200))
    expected = reduce(np.matmul, [tensor.numpy() for tensor in tensors])
    np.testing.assert_allclose(multi_dot(tensors).numpy(), expected)


def test_one_tensor_is_its_own_product():
    (a,) = tensors_of([(3, 4)])
    assert multi_dot([a]) is a


@pytest.mark.parametrize(
    "tensors",
    [
        [torch.ones(2, 3), torch.ones(4, 2)],
        [torch.ones(2, 2), torch.ones(2), torch.ones(2, 2)],
        [torch.ones(2, 2), torch.ones(2, 2), torch.ones(())],
        [torch.ones(2, 2), 3],
        [torch.ones(2, 2), np.ones((2, 2))],
        [torch.ones(2, 2), None, torch.ones(2, 2)],
    ],
)
def test_errors_are_of_torchs_kind(tensors):
    with pytest.raises((RuntimeError, TypeError)) as theirs:
        torch.linalg.multi_dot(tensors)
    with pytest.raises(theirs.type):
        multi_dot(tensors)
    with pytest.raises(theirs.type):
        multi_dot(tensors, out=torch.empty(2, 2))


# --- out ------------------------------------------------------------------------------------------------------


@given(chains() | stacks())
@settings(deadline=None)
def test_out_holds_the_result(shapes):
    tensors = tensors_of(shapes)
    expected = multi_dot(tensors)
    out = torch.full(expected.shape, 77.0, dtype=torch.float64)
    assert multi_dot(tensors, out=out) is out
    assert torch.equal(out, expected)


@pytest.mark.parametrize("number", range(2, 6))
def test_out_may_be_an_operand(number):
    for which in range(number):
        tensors = tensors_of([(4, 4)] * number)
        expected = reduce(torch.matmul, tensors)
        assert multi_dot(tensors, out=tensors[which]) is tensors[which]
        assert torch.equal(tensors[which], expected)


def test_out_is_resized_and_checked_as_by_torch():
    tensors = tensors_of([(2, 3), (3, 4), (4, 5)])
    assert multi_dot(tensors, out=torch.empty(0, dtype=torch.float64)).shape == (2, 5)
    with pytest.raises(RuntimeError, match="dtype"):
        multi_dot(tensors, out=torch.empty(2, 5))
    with pytest.raises(TypeError, match="Tensor"):
        multi_dot(tensors, out=np.empty((2, 5)))
    tensors[1].requires_grad_()
    with pytest.raises(RuntimeError, match="differentiation"):
        torch.linalg.multi_dot(tensors, out=torch.empty(2, 5, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="differentiation"):
        multi_dot(tensors, out=torch.empty(2, 5, dtype=torch.float64))
    with torch.no_grad():
        multi_dot(tensors, out=torch.empty(2, 5, dtype=torch.float64))


# --- gradients ------------------------------------------------------------------------------------------------


@given(stacks() | chains(smallest=1), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_gradients_are_those_of_the_written_order(shapes, which):
    torch.manual_seed(0)
    tensors = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    for at, tensor in enumerate(tensors):
        tensor.requires_grad_(bool(which >> at & 1))
    needing = [tensor for tensor in tensors if tensor.requires_grad]
    if not needing:
        return
    matrices = list(tensors)
    if tensors[0].ndim == 1:
        matrices[0] = tensors[0][None, :]
    if tensors[-1].ndim == 1:
        matrices[-1] = tensors[-1][:, None]
    written = torch.autograd.grad(reduce(torch.matmul, matrices).sum(), needing)
    ours = torch.autograd.grad(multi_dot(tensors).sum(), needing)
    for one, other in zip(ours, written, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "shapes", [[(2, 3), (3, 4), (4, 2)], [(3,), (3, 1), (1, 2), (2,)], [(2, 2, 3), (3, 1), (2, 1, 3)]]
)
@pytest.mark.parametrize("needs", [(True, True, True, True), (False, True, False, True)])
def test_gradcheck(shapes, needs):
    tensors = [
        torch.randn(shape, dtype=torch.float64, requires_grad=need) for shape, need in zip(shapes, needs, strict=False)
    ]
    assert torch.autograd.gradcheck(lambda *operands: multi_dot(operands), tensors)
    assert torch.autograd.gradgradcheck(lambda *operands: multi_dot(operands), tensors)


def test_the_order_counts_the_backward_pass():
    shapes = [(8, 10), (10, 4), (4, 3)]

    def train(needs):
        tensors = tensors_of(shapes)
        for tensor, need in zip(tensors, needs, strict=True):
            tensor.requires_grad_(need)
        return multiplications(lambda: multi_dot(tensors).sum().backward())

    # 512, and 720 in the order that is best for the forward pass.
    assert train((False, False, True)) == 512
    assert train((True, True, True)) == 3 * 360
    tensors = tensors_of(shapes)
    tensors[2].requires_grad_()
    with torch.no_grad():
        assert multiplications(lambda: multi_dot(tensors)) == 360
    parameter = torch.nn.Parameter(tensors[0].detach())
    assert multi_dot([parameter, *tensors[1:]]).requires_grad


@given(st.lists(st.integers(1, 12), min_size=4, max_size=6), st.integers(1, 63))
@settings(max_examples=40, deadline=None)
def test_forward_and_backward_take_what_the_plan_says(dims, which):
    tensors = tensors_of(pairwise(dims))
    needs = [bool(which >> at & 1) for at in range(len(tensors))]
    if not any(needs):
        return
    for tensor, need in zip(tensors, needs, strict=True):
        tensor.requires_grad_(need)
    plan = matrix_chain_multiplication(dims, requires_grad=needs)
    assert multiplications(lambda: multi_dot(tensors).sum().backward()) == plan.cost


# --- transforms -----------------------------------------------------------------------------------------------


def test_vmap_counts_what_it_maps_over():
    a, b, c = tensors_of([(50, 4, 5), (5, 6), (6, 7)])
    mapped = torch.vmap(lambda each: multi_dot([each, b, c]))
    torch.testing.assert_close(mapped(a), a @ b @ c)
    # 5·6·7 once, and then fifty times; from the left, as without the batch, 50·(4·5·6 + 4·6·7) = 14,400.
    assert multiplications(lambda: mapped(a)) == 210 + 50 * 4 * 5 * 7


def test_vmap_of_every_place_and_axis():
    a, b, v = tensors_of([(3, 4, 5), (3, 5, 6), (6, 3)])
    mapped = torch.vmap(lambda *each: multi_dot(each), in_dims=(0, 0, 1), out_dims=1)
    torch.testing.assert_close(mapped(a, b, v), torch.einsum("nij,njk,kn->in", a, b, v))


def test_vmap_inside_vmap():
    a, b, c = tensors_of([(3, 4, 5), (7, 5, 6), (6, 2)])
    mapped = torch.vmap(lambda x: torch.vmap(lambda y: multi_dot([x, y, c]))(b))
    torch.testing.assert_close(mapped(a), a[:, None] @ b @ c)
    assert multiplications(lambda: mapped(a)) <= 7 * 5 * 6 * 2 + 21 * 4 * 5 * 2


def test_functional_gradients():
    a, b, c = tensors_of([(3, 4, 5), (5, 6), (6, 2)])
    per_sample = torch.vmap(torch.func.grad(lambda b, a: multi_dot([a, b, c]).sum()), in_dims=(None, 0))(b, a)
    torch.testing.assert_close(per_sample, torch.stack([x.T @ torch.ones(4, 2).double() @ c.T for x in a]))
    jacobian = torch.func.jacfwd(lambda b: multi_dot([a[0], b, c]))(b)
    torch.testing.assert_close(jacobian, torch.func.jacrev(lambda b: a[0] @ b @ c)(b))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_into_one_graph(backend):
    compiled = torch.compile(lambda *operands: multi_dot(operands), fullgraph=True, backend=backend)
    for shapes in ([(2, 3), (3, 4), (4, 5)], [(2, 2, 3), (3, 4), (4,)], [(3,), (3, 4), (4, 5), (5, 6), (6,)], [(2, 3)]):
        tensors = tensors_of(shapes)
        torch.testing.assert_close(compiled(*tensors), multi_dot(tensors))


def test_compiled_gradients_and_order():
    compiled = torch.compile(lambda *operands: multi_dot(operands), fullgraph=True, backend="aot_eager")
    tensors = tensors_of([(8, 10), (10, 4), (4, 3)])
    tensors[2].requires_grad_()
    compiled(*tensors).sum().backward()
    ours, tensors[2].grad = tensors[2].grad, None
    (tensors[0] @ tensors[1] @ tensors[2]).sum().backward()
    torch.testing.assert_close(ours, tensors[2].grad)


def test_compiled_for_any_size_once_for_every_order():
    graphs = []

    def backend(module, example):
        graphs.append([str(node.args) for node in module.graph.nodes if node.target is torch.matmul])
        return module

    torch._dynamo.reset()
    compiled = torch.compile(lambda *operands: multi_dot(operands), fullgraph=True, backend=backend, dynamic=True)
    for dims in (
        (10, 100, 5, 50),
        (11, 90, 6, 40),
        (50, 5, 100, 10),
        (12, 80, 7, 41),
        (60, 6, 90, 11),
        (13, 70, 6, 40),
    ):
        tensors = tensors_of(pairwise(dims))
        torch.testing.assert_close(compiled(*tensors), reduce(torch.matmul, tensors))
    assert len(graphs) == 2


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_long_chains(dynamic):
    costs = []

    def backend(module, example):
        shapes = [
            [each.meta["example_value"].shape for each in node.args]
            for node in module.graph.nodes
            if node.target is torch.matmul
        ]
        costs.append(sum(int(left[0] * left[1] * right[1]) for left, right in shapes))
        return module

    torch._dynamo.reset()
    compiled = torch.compile(lambda *operands: multi_dot(operands), fullgraph=True, backend=backend, dynamic=dynamic)
    for dims in ([5, 1] * 6, [2, 9, 3, 8, 4, 7, 5, 6, 3, 2]):
        tensors = tensors_of(pairwise(dims))
        torch.testing.assert_close(compiled(*tensors), reduce(torch.matmul, tensors))
        assert costs[-1] == matrix_chain_multiplication(dims).cost


@pytest.mark.parametrize("needs", [[False] * 4, [True, False, False, False], [False, False, False, True], [True] * 4])
def test_symbols_are_ordered_as_numbers_are(needs):
    random = np.random.default_rng(4)
    for _ in range(200):
        dims = [int(each) for each in random.integers(1, 30, 5)]
        shapes = [(*((4,) if random.random() < 0.3 else ()), *each) for each in pairwise(dims)]
        plan = matrix_chain_multiplication(shapes, requires_grad=needs)
        steps = order_of_symbols(shapes, needs).steps
        ends = {at: at + 1 for at in range(4)}
        cost = 0
        for i, k in steps:
            j = ends[k]
            batch = 4 if any(len(shape) == 3 for shape in shapes[i:j]) else 1
            cost += batch * dims[i] * dims[k] * dims[j] * (1 + any(needs[i:k]) + any(needs[k:j]))
            ends[i] = j
        assert cost == plan.cost


def test_symbolic_tracing_and_export():
    from torch.fx.experimental.proxy_tensor import make_fx

    tensors = tensors_of([(50, 4, 5), (5, 6), (6, 7)])
    traced = make_fx(lambda *operands: multi_dot(operands), tracing_mode="symbolic")(*tensors)
    other = tensors_of([(40, 3, 5), (5, 6), (6, 2)])
    torch.testing.assert_close(traced(*other), reduce(torch.matmul, other))

    class Module(torch.nn.Module):
        def forward(self, a, b, c):
            return multi_dot([a, b, c])

    exported = torch.export.export(Module(), tuple(tensors)).module()
    torch.testing.assert_close(exported(*tensors), reduce(torch.matmul, tensors))


def test_modes_and_subclasses_see_the_products():
    class Marked(torch.Tensor):
        pass

    a, b, c = tensors_of([(2, 3), (3, 4), (4, 2)])
    assert type(multi_dot([a.as_subclass(Marked), b, c])) is Marked
    assert type(multi_dot([a, b, c.as_subclass(Marked)])) is Marked
    assert multi_dot([each.to("meta") for each in (a, b, c)]).shape == (2, 2)
