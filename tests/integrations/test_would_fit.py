"""``wellposed.would_fit``: predictions about crafted models, held against runs in the format itself."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import wellposed  # noqa: E402
from tests.cli.commands import python  # noqa: E402
from wellposed.advice.formats import TARGETS, target_of  # noqa: E402
from wellposed.integrations.fit_run import Setting, outcome  # noqa: E402


class Scaled(nn.Module):
    """Activations of about `factor`, brought back by a LayerNorm."""

    def __init__(self, factor):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.large = Times(factor)
        self.norm = nn.LayerNorm(16)
        self.last = nn.Linear(16, 3)

    def forward(self, x):
        return self.last(self.norm(self.large(torch.tanh(self.first(x)))))


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Along(nn.Module):
    """One linear layer, and a formula."""

    def __init__(self, formula):
        super().__init__()
        self.inner = nn.Linear(8, 8)
        self.formula = Formula(formula)

    def forward(self, x):
        return self.formula(self.inner(x))


class Formula(nn.Module):
    def __init__(self, formula):
        super().__init__()
        self.formula = formula

    def forward(self, x):
        return self.formula(x)


def _classes(model, dtype="float16", optimizer=None, **options):
    torch.manual_seed(0)
    batch = torch.randn(32, 8), torch.randint(3, (32,))
    return wellposed.would_fit(model, batch, F.cross_entropy, dtype, optimizer, **options)


def _mean(formula, dtype="float16", scale=1.0, **options):
    torch.manual_seed(0)
    model = Along(formula)
    return wellposed.would_fit(
        model,
        torch.randn(32, 8),
        lambda out: (out.float() * torch.linspace(0.2, 2.0, 8)).mean() * scale,
        dtype,
        **options,
    )


def _harms(report):
    return {(each.harm, each.scope) for each in report.prediction.operations if each.harm}


# --- overflow -------------------------------------------------------------------------------------------------


def test_activations_beyond_float16_are_kept_with_what_reads_them():
    torch.manual_seed(0)
    report = _classes(Scaled(2e5))
    assert _harms(report) == {("overflow", "Scaled.large"), ("overflow", "Scaled.norm")}
    assert report.keep == ("Scaled.large", "Scaled.norm")
    assert report.survives and report.check.minimal
    assert not report.check.pure.survives and math.isnan(report.check.pure.loss)
    assert report.check.pure.kernels == "float16 kernels"
    assert (report.check.overflows.precision, report.check.overflows.recall) == (1.0, 1.0)


@pytest.mark.parametrize("left_out", ["Scaled.large", "Scaled.norm", None])
def test_the_smallest_set_heals_and_without_any_member_it_breaks(left_out):
    """Cast and run by hand, with no code of ours around the kernels."""
    torch.manual_seed(0)
    model = Scaled(2e5)
    kept = [name for name in _classes(model).keep if name != left_out]
    torch.manual_seed(0)
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    half = copy.deepcopy(model).half()
    for name in kept:
        half.get_submodule(name.removeprefix("Scaled.")).float()
    hidden = torch.tanh(half.first(x.half()))
    hidden = half.large(hidden.float() if "Scaled.large" in kept else hidden)
    hidden = half.norm(hidden.float() if "Scaled.norm" in kept else hidden.half())
    loss = F.cross_entropy(half.last(hidden.half()).float(), y)
    assert bool(torch.isfinite(loss)) == (left_out is None)


def test_just_below_the_limit_nothing_is_kept():
    torch.manual_seed(0)
    report = _classes(Scaled(4e4))
    assert not _harms(report) and report.keep == () and report.survives
    assert report.check.overflows.observed == 0
    assert report.check.pure.survives


def test_bfloat16_has_the_range():
    report = _classes(Scaled(2e5), "bfloat16")
    assert report.prediction.verdict == "fits" and report.survives and report.scale == 1.0


@pytest.mark.parametrize("dtype", ["float8_e5m2", "float8_e4m3fn"])
def test_formats_without_kernels_are_simulated_and_say_so(dtype):
    torch.manual_seed(0)
    report = _classes(Scaled(2e5), dtype)
    assert ("overflow", "Scaled.large") in _harms(report)
    assert "results rounded" in report.check.pure.kernels
    assert "addmm" in report.check.simulated
    assert report.check.overflows.recall == 1.0 and report.check.overflows.precision == 1.0


# --- formulas: what breaks, and what looks alike and does not --------------------------------------------------


def _variance_by_hand(x):
    x = x * 300 + 500
    return (x - ((x**2).mean(1, keepdim=True) - x.mean(1, keepdim=True) ** 2).sqrt()) / 1000


def test_squares_written_out_overflow_and_those_inside_a_kernel_do_not():
    by_hand = _mean(_variance_by_hand)
    assert ("overflow", "Along.formula") in _harms(by_hand)
    assert by_hand.keep == ("Along.formula",) and by_hand.survives
    fused = _mean(lambda x: F.layer_norm(x * 300 + 500, (8,)))
    assert not _harms(fused) and fused.keep == ()
    assert fused.check.pure.survives
    hidden = {each.what: each.largest for each in fused.prediction.hidden}
    assert hidden["square of a deviation in the variance"] > 65504


def test_a_mask_by_a_scalar_that_float16_refuses():
    report = _mean(lambda x: x.masked_fill(x > 0, -1e9).softmax(1) * x)
    assert ("raises", "Along.formula") in _harms(report)
    assert "without overflow" in report.check.pure.error
    assert report.keep == ("Along.formula",) and report.survives


def test_an_added_mask_becomes_infinite_and_a_softmax_bears_it():
    def attend(x):
        return (x + torch.where(x > 0, -1e9, 0.0)).softmax(1) * x

    report = _mean(attend)
    assert any(each.fate.overflow for each in report.prediction.operations)
    assert not _harms(report) and report.keep == () and report.survives
    assert report.check.pure.survives


def test_a_divisor_that_vanishes_is_told_and_one_that_does_not_is_not():
    def divide(x):
        return (x * 1e-4) / (x.square() * 1e-9 + 1e-8)

    lost = _mean(divide, scale=1e-4)
    assert any(harm == "zero-divisor" for harm, _ in _harms(lost))
    assert not lost.check.pure.survives
    kept = _mean(lambda x: x / (x.square() + 1e-3))
    assert not _harms(kept) and kept.check.pure.survives


def test_a_product_of_which_nothing_is_left():
    report = _mean(lambda x: (x * 1e-9) * 1e9)
    assert ("lost", "Along.formula") in _harms(report)
    assert report.keep == ("Along.formula",) and report.survives
    # The same small numbers beside large ones do no harm.
    assert not _harms(_mean(lambda x: x + x * 1e-9))


# --- gradients ------------------------------------------------------------------------------------------------


def test_the_proposed_loss_scale_saves_gradients_in_a_real_float16_run():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    x, y = torch.randn(32, 8), torch.randn(32, 3)

    def loss_fn(out, target):
        return F.mse_loss(out.float(), target.float()) * 1e-7

    report = wellposed.would_fit(model, (x, y), loss_fn)
    proposed = report.prediction.scale
    assert proposed.needed and proposed.works and math.log2(proposed.scale) % 1 == 0
    assert proposed.lost_without > 0.9 and proposed.lost_with < 0.05
    assert report.survives and report.scale == proposed.scale

    def lost(scale):
        half = copy.deepcopy(model).half()
        (loss_fn(half(x.half()), y) * scale).backward()
        found = torch.cat([each.grad.flatten() for each in half.parameters()])
        assert torch.isfinite(found).all()
        return float((found == 0).float().mean())

    assert lost(1.0) > 0.9 and lost(proposed.scale) < 0.05
    # As high as it may be: sixteen times as much is beyond the limit.
    assert 8 <= proposed.headroom < 16


def test_ordinary_gradients_need_no_scale_in_bfloat16_and_are_not_scaled_in_float16_without_need():
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    x = torch.randn(16, 4)
    report = wellposed.would_fit(model, x, lambda out: out.sum())
    assert not report.prediction.scale.needed and report.scale == 1.0


def test_gradients_spread_wider_than_the_format_have_no_scale():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return self.a(x) * 1e-7, self.b(x) * 1e3

    torch.manual_seed(0)
    report = wellposed.would_fit(
        Wide(), torch.randn(16, 8), lambda out: out[0].sum() * 1e-3 + out[1].sum(), check=False
    )
    assert report.prediction.verdict == "gradients-too-wide" and not report.survives
    assert not report.prediction.scale.works
    assert "no scale" in report.prediction.message or "any loss scale" in report.prediction.message


# --- weights, updates, optimizer states ---------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "lost"), [(1e-5, True), (0.1, False)])
def test_updates_below_half_a_spacing_are_lost_in_bfloat16(rate, lost):
    torch.manual_seed(0)
    model = nn.Linear(8, 3)
    with torch.no_grad():
        model.weight.copy_(torch.empty_like(model.weight).uniform_(1.0, 2.0))
    optimizer = torch.optim.Adam(model.parameters(), rate)
    report = _classes(model, "bfloat16", optimizer)
    weight = next(each for each in report.check.updates if each.parameter.endswith("weight"))
    truth = copy.deepcopy((model, optimizer))
    torch.manual_seed(0)
    batch = torch.randn(32, 8), torch.randint(3, (32,))
    F.cross_entropy(truth[0](batch[0]), batch[1]).backward()
    change = -truth[0].weight.detach().clone()
    truth[1].step()
    change += truth[0].weight.detach()
    low = model.weight.detach().bfloat16()
    expected = float((((low.float() + change).bfloat16() == low) & (change != 0)).float().mean())
    assert weight.lost == pytest.approx(expected)
    assert weight.lost == (1.0 if lost else 0.0)


def test_adams_second_moment_begins_at_zero_in_float16():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters())
    report = _classes(model, "float16", optimizer)
    assert any("second moment" in note for note in report.prediction.notes)
    assert any("eps 1e-08 is 0" in note for note in report.prediction.notes)
    observed = {each.parameter: each.states_lost["exp_avg_sq"] for each in report.check.updates}
    for each in report.prediction.parameters:
        # A square spreads its binade over two: what is predicted to vanish does, and little more.
        assert each.second_moment.vanish <= observed[each.name] + 0.02
        assert observed[each.name] - each.second_moment.vanish < 0.35
    without = _classes(model, "float16", torch.optim.SGD(model.parameters(), 0.1))
    assert not any("second moment" in note for note in without.prediction.notes)


# --- predictions against every operator, over models people use -------------------------------------------------


def _transformer(name):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    small = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    more = {"intermediate_size": 64, "max_position_embeddings": 64}
    if name == "gpt2":
        settings = transformers.GPT2Config(
            n_layer=2, n_head=2, n_embd=32, vocab_size=100, n_positions=64, bos_token_id=0, eos_token_id=0
        )
        return transformers.GPT2LMHeadModel(settings)
    if name == "bert":
        return transformers.BertForMaskedLM(transformers.BertConfig(**small, **more))
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**small, **more, num_key_value_heads=2))


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e5m2"])
def test_transformers(name, dtype):
    model = _transformer(name)
    ids = torch.randint(0, 100, (2, 16))
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    report = wellposed.would_fit(model, {"input_ids": ids, "attention_mask": mask, "labels": ids}, None, dtype)
    assert report.survives
    assert report.check.overflows.predicted == report.check.overflows.observed == report.check.overflows.both
    if dtype != "float8_e5m2":
        # With the format's own kernels, which honour the model's own casts, none of them needs anything kept.
        assert report.keep == () and report.check.mixed.kernels == f"{dtype} kernels"
    json.dumps(report.to_json(), allow_nan=False)
    assert f"As {dtype}: " in report.report()


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.LSTM(8, 16, batch_first=True)
        self.last = nn.Linear(16, 3)

    def forward(self, x):
        return self.last(self.inner(x.unsqueeze(1).expand(-1, 5, -1))[0][:, -1])


class Spectral(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        return self.last(torch.fft.ifft(torch.fft.fft(x)).real)


class Looked(nn.Module):
    """With a sparse gradient."""

    def __init__(self):
        super().__init__()
        self.table = nn.EmbeddingBag(10, 8, sparse=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.table((x.abs() * 3).long().clamp(0, 9)))


@pytest.mark.parametrize("kind", [Recurrent, Spectral, Looked])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e5m2"])
def test_kernels_that_are_special_raise_no_alarm(kind, dtype):
    torch.manual_seed(0)
    report = _classes(kind(), dtype)
    assert report.survives and report.keep == ()
    assert report.check.overflows.predicted == report.check.overflows.observed == 0
    if kind is Spectral:  # PyTorch has no such transform in any of them
        assert "results rounded" in report.check.mixed.kernels


# --- the patient --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TARGETS)
def test_nothing_is_disturbed(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(16, 3)
    )
    optimizer = torch.optim.Adam(model.parameters())
    batch = torch.randn(32, 8), torch.randint(3, (32,))
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    before = copy.deepcopy(model.state_dict())
    gradients = [(each.grad, each.grad.clone()) for each in model.parameters()]
    hooks = [(len(each._forward_pre_hooks), len(each._forward_hooks)) for each in model.modules()]
    random = torch.random.get_rng_state()
    report = wellposed.would_fit(model, batch, F.cross_entropy, dtype, optimizer)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for parameter, (held, copied) in zip(model.parameters(), gradients, strict=True):
        assert parameter.grad is held and torch.equal(held, copied)
    assert hooks == [(len(each._forward_pre_hooks), len(each._forward_hooks)) for each in model.modules()]
    assert torch.equal(random, torch.random.get_rng_state())
    assert not optimizer.state and all(each.dtype == torch.float32 for each in model.parameters())
    assert report.check.mixed.reference_loss == pytest.approx(report.check.mixed.loss, rel=0.6)


def test_the_prediction_alone_runs_the_model_once():
    calls = []
    model = nn.Linear(8, 3)
    model.register_forward_hook(lambda *_: calls.append(1))
    report = _classes(model, check=False)
    assert len(calls) == 1 and report.check is None and report.keep == () and "Checked" not in report.report()


def test_what_cannot_be_asked_is_one_sentence():
    with pytest.raises(ValueError, match="choose one of"):
        _classes(nn.Linear(8, 3), "int8")
    with pytest.raises(ValueError, match="already"):
        _classes(nn.Linear(8, 3).half())
    with pytest.raises(ValueError, match="scalar loss"):
        wellposed.would_fit(nn.Linear(8, 3), torch.randn(4, 8))


def test_rounding_follows_in_place_operators_and_views():
    """The simulation against bfloat16's own kernels, over operators that write into what they read."""

    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(8, 8)

        def forward(self, x):
            y = self.inner(x).clone()
            y.view(-1)[::2].mul_(3.0)
            y[:, 1:3].add_(0.1)
            return torch.relu_(y) * y.sum(1, keepdim=True)

    torch.manual_seed(0)
    model, x = InPlace(), torch.randn(4, 8)
    setting = Setting(model, x, lambda out: out.float().sum(), target_of("bfloat16"))
    rounded, native, reference = setting.rounded((), 1.0)[0], setting.native(), setting.reference()
    assert not rounded.error and not native.error
    assert rounded.loss == pytest.approx(native.loss, rel=0.02) and rounded.loss != reference.loss
    told = outcome("mixed", "", rounded, native, target_of("bfloat16"))
    assert told.gradient_cosine > 0.999


def test_the_example_of_the_documentation():
    root = Path(__file__).parents[2]
    ended = python(root, "examples/would_fit.py", "float16")
    assert ended.code == 0, ended.stderr
    page = (root / "docs" / "fit.md").read_text("utf-8")
    shown = page.split("```\nAs float16")[1].split("```")[0].splitlines()
    said = ended.stdout.splitlines()
    assert [line for line in shown[1:] if line and line != "…" and line not in said] == []
