"""Products of PyTorch graphs put into another order: what is caught, what is left alone, and that numbers stay."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import wellposed.torch  # noqa: E402

Function = Callable[..., Any]
linear = torch.nn.functional.linear


def tensors(*shapes: tuple[int, ...], dtype: Any = torch.float64) -> list[Any]:
    generator = torch.Generator().manual_seed(sum(map(sum, shapes)))
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def rewritten(function: Function, *arguments: Any, **settings: Any) -> tuple[Any, wellposed.torch.Report]:
    """The graph of `function` as inductor gets it, rewritten, and what was done to it."""
    from torch._inductor.decomposition import select_decomp_table

    graph = make_fx(function, decomposition_table=select_decomp_table(), tracing_mode="fake")(*arguments)
    report = wellposed.torch.reorder_graph(graph, **settings)
    return graph, report


def multiplications(function: Function, *arguments: Any) -> int:
    with FlopCounterMode(display=False) as counter:
        function(*arguments)
    return counter.get_total_flops() // 2


def agree(one: Any, other: Any) -> bool:
    return all(
        torch.allclose(a, b, rtol=1e-9, atol=1e-9 * max(1.0, float(a.detach().abs().max())))
        and a.shape == b.shape
        and a.stride() == b.stride()
        for a, b in zip(_listed(one), _listed(other), strict=True)
    )


def _listed(one: Any) -> list[Any]:
    return list(one) if isinstance(one, (list, tuple)) else [one]


def both_passes_agree(function: Function, *arguments: Any, **options: Any) -> list[wellposed.torch.Report]:
    """Runs the function and its reordered twin forward and backward, compares them, and gives the reports."""
    torch._dynamo.reset()
    compiled = wellposed.torch.reorder(function, compiler="aot_eager", **options)
    results = []
    for run in (function, compiled):
        given = [one.detach().clone().requires_grad_() for one in arguments]
        out = _listed(run(*given))
        torch.autograd.backward(
            out, [torch.linspace(-1, 2, one.numel(), dtype=one.dtype).view(one.shape) for one in out]
        )
        results.append([*out, *(one.grad for one in given)])
    assert agree(*results)
    return wellposed.torch.reports(compiled)


def without_opt_einsum(function: Function) -> Function:
    def run(*arguments: Any) -> Any:
        with torch.backends.opt_einsum.flags(enabled=False):
            return function(*arguments)

    return run


PATTERNS: dict[str, tuple[Function, Function, list[tuple[int, ...]]]] = {
    # name: as written, in the best order, shapes
    "2-D": (lambda a, b, c: a @ b @ c, lambda a, b, c: a @ (b @ c), [(90, 80), (80, 70), (70, 3)]),
    "3-D": (lambda x, a, b: x @ a @ b, lambda x, a, b: x @ (a @ b), [(4, 50, 60), (60, 90), (90, 5)]),
    "linear, linear": (
        lambda x, a, b: linear(linear(x, a), b),
        lambda x, a, b: x @ (a.T @ b.T),
        [(200, 60), (90, 60), (5, 90)],
    ),
    "vector": (lambda a, b, v: a @ b @ v, lambda a, b, v: a @ (b @ v[:, None]), [(90, 80), (80, 70), (70,)]),
    "bias": (
        lambda x, a, bias, b: linear(linear(x, a, bias), b),
        lambda x, a, bias, b: x @ (a.T @ b.T) + bias[None] @ b.T,
        [(200, 60), (90, 60), (90,), (5, 90)],
    ),
    "transposed": (lambda a, b, c: (a @ b).T @ c, lambda a, b, c: b.T @ (a.T @ c), [(90, 80), (80, 70), (90, 3)]),
    "attention": (
        lambda p, v, w: (p @ v).transpose(1, 2).reshape(2, 50, 120) @ w,
        lambda p, v, w: p.transpose(1, 2).reshape(2, 50, 200) @ (v @ w.view(4, 30, 3)).reshape(2, 200, 3),
        [(2, 4, 50, 50), (2, 4, 50, 30), (120, 3)],
    ),
    "einsum": (
        without_opt_einsum(lambda a, b, c: torch.einsum("bij,bjk,bkl->bil", a, b, c)),
        lambda a, b, c: a @ (b @ c),
        [(3, 90, 80), (3, 80, 70), (3, 70, 3)],
    ),
    "scaled": (lambda a, b, c: (2 * (a @ b)) @ c, lambda a, b, c: 2 * (a @ (b @ c)), [(90, 80), (80, 70), (70, 3)]),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_what_stands_between_products_is_seen_through(name):
    written, best, shapes = PATTERNS[name]
    arguments = tensors(*shapes)
    graph, report = rewritten(written, *arguments)
    assert agree(written(*arguments), graph(*arguments))
    assert report.rewrites and report.before > 3 * report.after
    assert multiplications(graph, *arguments) == multiplications(best, *arguments)


@pytest.mark.parametrize("name", PATTERNS)
def test_values_and_gradients_stay(name):
    written, _, shapes = PATTERNS[name]
    reports = both_passes_agree(written, *tensors(*shapes))
    assert {rewrite.phase for report in reports for rewrite in report.rewrites} == {"forward", "backward"}
    assert sum(report.before for report in reports) > 3 * sum(report.after for report in reports)


SQUARE, COLUMN = (64, 64), (64, 1)
N3 = 64**3
AWARENESS: dict[str, tuple[Function, list[tuple[int, ...]], int]] = {
    # name: expression, shapes, products of two full matrices that are left; Sankaran et al., arXiv 2202.09888
    "HᵀHx": (lambda h, x: h.T @ h @ x, [SQUARE, COLUMN], 0),
    "yᵀHᵀH": (lambda h, y: y.T @ h.T @ h, [SQUARE, COLUMN], 0),
    "HᵀyxᵀH": (lambda h, x, y: h.T @ y @ x.T @ h, [SQUARE, COLUMN, COLUMN], 0),
    "(AᵀB)ᵀ(AᵀB)": (lambda a, b: (a.T @ b).T @ (a.T @ b), [SQUARE, SQUARE], 2),
    "(AᵀB)ᵀAᵀB": (lambda a, b: (a.T @ b).T @ a.T @ b, [SQUARE, SQUARE], 2),
    "AᵀBAᵀBy": (lambda a, b, y: a.T @ b @ a.T @ b @ y, [SQUARE, SQUARE, COLUMN], 0),
    "AB + AC": (lambda a, b, c: a @ b + a @ c, [SQUARE, SQUARE, SQUARE], 1),
    "(A − HᵀH)x": (lambda a, h, x: (a - h.T @ h) @ x, [SQUARE, SQUARE, COLUMN], 0),
    "BᵀAAᵀB": (lambda a, b: b.T @ a @ a.T @ b, [SQUARE, SQUARE], 2),
}


@pytest.mark.parametrize("name", AWARENESS)
def test_linear_algebra_is_known(name):
    expression, shapes, left = AWARENESS[name]
    arguments = tensors(*shapes)
    graph, _ = rewritten(expression, *arguments)
    assert agree(expression(*arguments), graph(*arguments))
    assert left * N3 <= multiplications(graph, *arguments) < (left + 0.5) * N3
    both_passes_agree(expression, *arguments)


NEAR_MISSES: dict[str, tuple[Function, list[tuple[int, ...]]]] = {
    "the best order already": (lambda a, b, c: a @ (b @ c), [(90, 80), (80, 70), (70, 3)]),
    "a function between": (lambda a, b, c: torch.relu(a @ b) @ c, [(90, 80), (80, 70), (70, 3)]),
    "softmax between": (lambda q, k, v: torch.softmax(q @ k, -1) @ v, [(90, 80), (80, 70), (70, 3)]),
    "dropout between": (
        lambda a, b, c: torch.nn.functional.dropout(a @ b, 0.5) @ c,
        [(90, 80), (80, 70), (70, 3)],
    ),
    "another dtype between": (
        lambda a, b, c: (a.float() @ b.float()).double() @ c,
        [(90, 80), (80, 70), (70, 3)],
    ),
    "a slice between": (lambda a, b, c: (a @ b)[:40] @ c, [(90, 80), (80, 70), (70, 3)]),
    "a power between": (lambda a, b, c: (a @ b) ** 2 @ c, [(90, 80), (80, 70), (70, 3)]),
    "the intermediate is a result": (lambda a, b, c: (t := a @ b, t @ c), [(90, 80), (80, 70), (70, 3)]),
    "the intermediate goes through a function as well": (
        lambda a, b, c: (torch.relu(t := a @ b), t @ c),
        [(90, 80), (80, 70), (70, 3)],
    ),
    "too small to matter": (lambda a, b, c: a @ b @ c, [(20, 20), (20, 20), (20, 1)]),
    "within the margin": (lambda a, b, c: a @ b @ c, [(100, 100), (100, 100), (100, 98)]),
    "nothing but elementwise products": (lambda a, b, c: a * b * c[:1], [(300, 300), (300, 300), (300, 300)]),
    "sums of elementwise products": (
        lambda a, b, c: ((a * b).sum(0), (a * b * c).sum()),
        [(300, 300), (300, 300), (300, 300)],
    ),
    "whole numbers": (lambda a, b, c: a.long() @ b.long() @ c.long(), [(90, 80), (80, 70), (70, 3)]),
    "complex numbers": (lambda a, b, c: a.cfloat() @ b.cfloat() @ c.cfloat(), [(90, 80), (80, 70), (70, 3)]),
    "the bias of an inner product that pays nothing": (
        lambda x, a, bias, b: linear(linear(x, a, bias), b),
        [(20, 60), (60, 60), (60,), (60, 60)],
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_everything_else_is_left_alone(name):
    function, shapes = NEAR_MISSES[name]
    arguments = tensors(*shapes)
    before = make_fx(function, tracing_mode="fake")(*arguments)
    code = before.code
    report = wellposed.torch.reorder_graph(before)
    assert not report.rewrites and report.before == report.after
    assert before.code == code


def test_half_precision_is_reordered_on_request_alone():
    for dtype in (torch.float16, torch.bfloat16):
        arguments = tensors((90, 80), (80, 70), (70, 3), dtype=dtype)
        assert not rewritten(lambda a, b, c: a @ b @ c, *arguments)[1].rewrites
        assert rewritten(lambda a, b, c: a @ b @ c, *arguments, half_precision=True)[1].rewrites


def test_an_overflow_is_not_made_where_there_was_none():
    p, q, r = torch.full((64, 40), 1e-3), torch.full((40, 256), 60.0), torch.full((256, 64), 60.0)
    arguments = [one.half() for one in (p[:, :4], q[:4], r[:, :1])]
    graph, _ = rewritten(lambda p, q, r: p @ q @ r, *arguments)
    assert graph(*arguments).isfinite().all()


# --- intermediates with several users ---------------------------------------------------------------------------


def test_an_intermediate_that_all_users_do_better_without_goes():
    arguments = tensors((90, 90), (90, 90), (90,), (90,))
    graph, report = rewritten(lambda a, b, x, y: ((t := a @ b) @ x, t.T @ y), *arguments)
    assert len(report.rewrites) == 2
    assert multiplications(graph, *arguments) <= 4 * 90 * 90


def test_an_intermediate_that_is_cheaper_to_share_stays():
    function = lambda a, b, x, y: ((t := a @ b) @ x, t @ y)  # noqa: E731
    arguments = tensors((90, 90), (90, 90), (90, 80), (90, 70))
    assert not rewritten(function, *arguments)[1].rewrites


def test_an_intermediate_is_computed_again_where_that_is_cheaper():
    # a·b is needed as it is, and yet (a·b)·c is cheaper without it: a is 200×2.
    function = lambda a, b, c: (t := a @ b, t @ c)  # noqa: E731
    arguments = tensors((200, 2), (2, 200), (200, 200))
    graph, report = rewritten(function, *arguments)
    assert len(report.rewrites) == 1
    assert agree(function(*arguments), graph(*arguments))
    assert multiplications(graph, *arguments) == 200 * 2 * 200 + 2 * 200 * 200 + 200 * 2 * 200


def test_what_is_written_twice_is_computed_once():
    function = lambda a, b: torch.tanh(a @ b) + (a @ b).T  # noqa: E731
    arguments = tensors((90, 90), (90, 90))
    graph, report = rewritten(function, *arguments)
    assert report.merged == 1 and not report.rewrites
    assert "1 written again elsewhere, and computed once" in str(report)
    assert multiplications(graph, *arguments) == 90**3
    assert agree(function(*arguments), graph(*arguments))


def test_what_is_written_twice_is_weighed_once():
    # Left to right the second product is the first again, so that no order of its own can be cheaper.
    function = lambda a, b, c: (torch.tanh(a @ b), a @ b @ c)  # noqa: E731
    arguments = tensors((90, 80), (80, 70), (70, 60))
    assert not rewritten(function, *arguments)[1].rewrites
    function = lambda a, b, y: (a @ b) @ (a @ b) @ y  # noqa: E731
    arguments = tensors((90, 90), (90, 90), (90, 1))
    graph, _ = rewritten(function, *arguments)
    assert multiplications(graph, *arguments) == 4 * 90 * 90


# --- all orders -------------------------------------------------------------------------------------------------


def _cheapest(dims: tuple[int, ...]) -> int:
    if len(dims) <= 2:
        return 0
    return min(
        _cheapest(dims[: k + 1]) + _cheapest(dims[k:]) + dims[0] * dims[k] * dims[-1] for k in range(1, len(dims) - 1)
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_chains_reach_the_cheapest_of_all_orders(seed):
    generator = torch.Generator().manual_seed(seed)
    number = lambda low, high: int(torch.randint(low, high, (), generator=generator))  # noqa: E731
    dims = tuple(number(2, 120) for _ in range(number(4, 8)))
    flipped = [bool(number(0, 2)) for _ in dims[1:]]
    arguments = tensors(*[(j, i) if flip else (i, j) for i, j, flip in zip(dims[:-1], dims[1:], flipped, strict=True)])

    def product(*matrices: Any) -> Any:
        straight = [m.T if flip else m for m, flip in zip(matrices, flipped, strict=True)]
        while len(straight) > 1:
            at = len(straight) // 2 - (seed % 2) * (len(straight) > 2)
            at = max(1, at)
            straight[at - 1 : at + 1] = [straight[at - 1] @ straight[at]]
        return straight[0]

    graph, report = rewritten(product, *arguments)
    assert agree(product(*arguments), graph(*arguments))
    cost, cheapest = multiplications(graph, *arguments), _cheapest(dims)
    assert cost == cheapest if report.rewrites else cost - cheapest < max(20_000, 0.1 * cost)


def test_subsets_and_chains_are_planned_alike():
    from wellposed.integrations.torch_reorder import contraction

    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        dims = [int(torch.randint(2, 50, (), generator=generator)) for _ in range(7)]
        count = int(torch.randint(3, 7, (), generator=generator))
        described = [(1, True, dims[0]), *((3 << k, False, dims[k + 1]) for k in range(count - 1))]
        described.append((1 << (count - 1), True, dims[count]))
        described.append((int(torch.randint(1, 1 << count, (), generator=generator)), True, 3))
        bundles = [contraction._Bundle(*one) for one in described]
        chain = contraction._by_chain(count, bundles)
        subsets = contraction._by_subsets(count, bundles)
        assert chain is not None and subsets.multiplications <= chain.multiplications
        if described[-1][0].bit_count() == count:
            assert subsets.multiplications == chain.multiplications


# --- dynamic shapes, models, the compilers ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2-D", "3-D", "bias", "attention"])
def test_sizes_may_change_without_compiling_again(name):
    function = PATTERNS[name][0]
    if name == "attention":
        function = lambda p, v, w: (p @ v).transpose(1, 2).reshape(p.shape[0], p.shape[2], -1) @ w  # noqa: E731
    shapes: Callable[[int], list[tuple[int, ...]]] = {
        "2-D": lambda n: [(n, 80), (80, 70), (70, 3)],
        "3-D": lambda n: [(4, n, 60), (60, 90), (90, 5)],
        "bias": lambda n: [(n, 60), (90, 60), (90,), (5, 90)],
        "attention": lambda n: [(2, 4, n, n), (2, 4, n, 30), (120, 3)],
    }[name]
    compiled = []

    class Counting(wellposed.torch.Reordering):
        def __call__(self, *given: Any, **named: Any) -> Any:
            compiled.append(1)
            return super().__call__(*given, **named)

    torch._dynamo.reset()
    backend = Counting("aot_eager")
    run = torch.compile(function, backend=backend, dynamic=True)
    for size in (61, 75, 130):
        results = []
        for each in (function, run):
            given = [one.requires_grad_() for one in tensors(*shapes(size))]
            out = each(*given)
            out.sum().backward()
            results.append([out, *(one.grad for one in given)])
        assert agree(*results)
    assert len(compiled) == 1 and len(backend.reports) == 1
    assert backend.reports[0].rewrites


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_transformer_has_the_same_loss_and_gradients(kind):
    transformers = pytest.importorskip("transformers")
    if kind == "bert":
        config = transformers.BertConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=100,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager",
        )  # fmt: skip
        model = transformers.BertForMaskedLM(config).double()
    else:
        config = transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=2, vocab_size=100, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=1, eos_token_id=2, attn_implementation="eager",
        )  # fmt: skip
        model = transformers.GPT2LMHeadModel(config).double()
    ids = torch.randint(0, 100, (2, 24), generator=torch.Generator().manual_seed(1))
    torch._dynamo.reset()
    results = []
    for run in (model, wellposed.torch.reorder(model, compiler="aot_eager")):
        model.zero_grad()
        loss = run(input_ids=ids, labels=ids).loss
        loss.backward()
        results.append([loss.detach(), *(p.grad.clone() for p in model.parameters())])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-12)


def _compiles_cpp() -> bool:
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        return bool(get_cpp_compiler())
    except Exception:
        return False


@pytest.mark.slow
def test_the_backend_has_a_name_and_composes_with_inductor():
    if not _compiles_cpp():
        pytest.skip("inductor needs a C++ compiler")
    from torch._dynamo import list_backends

    if "wellposed" not in list_backends():
        pytest.skip("the package's entry points are not installed")
    function = lambda h, x: torch.relu(h.T @ h @ x)  # noqa: E731
    torch._dynamo.reset()
    compiled = torch.compile(function, backend="wellposed")
    results = []
    for run in (function, compiled):
        given = [one.requires_grad_() for one in tensors((100, 100), (100,))]
        out = run(*given)
        out.sum().backward()
        results.append([out, *(one.grad for one in given)])
    assert agree(*results)


def test_compiled_already_is_compiled_anew():
    function = lambda a, b, c: a @ b @ c  # noqa: E731
    arguments = tensors((90, 80), (80, 70), (70, 3))
    module = torch.nn.Sequential(torch.nn.Linear(60, 300), torch.nn.Linear(300, 2)).double()
    torch._dynamo.reset()
    compiled = wellposed.torch.reorder(torch.compile(function), compiler="aot_eager")
    assert agree(function(*arguments), compiled(*arguments))
    assert wellposed.torch.reports(compiled)[0].rewrites
    compiled = wellposed.torch.reorder(torch.compile(module), compiler="aot_eager")
    (x,) = tensors((200, 60))
    assert agree(module(x), compiled(x))
    assert wellposed.torch.reports(compiled)[0].rewrites
    assert not [name for name in vars(module) if "wellposed" in name]


# --- what it says -----------------------------------------------------------------------------------------------


def test_a_rewrite_tells_where_what_and_how_much(capsys, caplog):
    def product(h: Any, x: Any) -> Any:
        return h.T @ h @ x

    torch._dynamo.reset()
    compiled = wellposed.torch.reorder(product, compiler="aot_eager", explain=True)
    with caplog.at_level("INFO", "wellposed.torch"):
        compiled(*tensors((100, 100), (100,)))
    (report,) = wellposed.torch.reports(compiled)
    (rewrite,) = report.rewrites
    assert rewrite.file == __file__ and rewrite.code == "return h.T @ h @ x"
    assert rewrite.line == product.__code__.co_firstlineno + 1
    assert (rewrite.written, rewrite.planned, rewrite.phase) == ("(Aᵀ·A)·B", "Aᵀ·(A·B)", "forward")
    assert (rewrite.before, rewrite.after) == (100**3 + 100**2, 2 * 100**2)
    assert rewrite.operands == (("A", "100×100"), ("B", "100"))
    told = capsys.readouterr().err
    assert "(Aᵀ·A)·B  →  Aᵀ·(A·B)" in told and "1,010,000 → 20,000 multiplications, 50.5×" in told
    assert "1,010,000 → 20,000" in caplog.text
    assert math.isclose(report.before / report.after, 50.5)


def test_wrong_use_is_told():
    with pytest.raises(ValueError, match="inductor, aot_eager"):
        wellposed.torch.reorder(lambda x: x, compiler="inducter")
    with pytest.raises(TypeError, match="reorder"):
        wellposed.torch.reports(lambda x: x)


def test_a_failure_of_ours_leaves_the_program_as_it_was(monkeypatch, caplog):
    from wellposed.integrations.torch_reorder import rebuilding

    def fail(*_: Any) -> None:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(rebuilding.Rebuilder, "_product", fail)
    both_passes_agree(lambda a, b, c: a @ b @ c, *tensors((90, 80), (80, 70), (70, 3)))
    assert "a product stays as written" in caplog.text


def test_sizes_are_divided_where_that_is_certain():
    import sympy

    from wellposed.integrations.torch_reorder.indices import quotient

    s, t = sympy.symbols("s t", integer=True, positive=True)
    assert quotient(12, 4) == 3 and quotient(12, 5) is None
    assert quotient(s * t, s) == t and quotient(4 * s, 2) == 2 * s and quotient(s * t + s, s) == t + 1
    assert quotient(s, 2) is None and quotient(s, t) is None and quotient(s, 2 * s) is None


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, a, bias, b: linear(linear(x, a, bias), b).sum(0), [(200, 60), (90, 60), (90,), (5, 90)]),
        (lambda a, b: (a.expand(90, 80) @ b.expand(80, 70)).sum(0) * 2, [(90, 1), (1, 70)]),
        (lambda a, b, c: (a @ b).sum(0).expand(50, 70) @ c, [(90, 80), (80, 70), (70, 60)]),
        (lambda a, b: (a @ b).sum(), [(90, 80), (80, 70)]),
        (lambda a, b, c: ((a @ b) + c).sum((0, 1)), [(90, 80), (80, 70), (70,)]),
    ],
)
def test_what_was_broadcast_is_summed_as_often_as_it_stands_there(function, shapes):
    arguments = tensors(*shapes)
    graph, report = rewritten(function, *arguments)
    assert report.rewrites
    assert agree(function(*arguments), graph(*arguments))
    both_passes_agree(function, *arguments)
    both_passes_agree(function, *arguments, dynamic=True)
