"""``wellposed.epsilons``: true quantiles, PyTorch's own defaults, real models, and a patient left as it was."""

from __future__ import annotations

import copy
import csv
import io
import json

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import wellposed  # noqa: E402
from wellposed.report.json_contract import to_json_text  # noqa: E402

_DEFAULTS = """
api,default,held in float16
F.batch_norm,1e-05,subnormal
F.group_norm,1e-05,subnormal
F.instance_norm,1e-05,subnormal
F.layer_norm,1e-05,subnormal
F.gaussian_nll_loss,1e-06,subnormal
F.normalize,1e-12,zero
F.cosine_similarity,1e-08,zero
F.poisson_nll_loss,1e-08,zero
nn.PairwiseDistance,1e-06,subnormal
nn.TripletMarginLoss,1e-06,subnormal
optim.Adam,1e-08,zero
optim.AdamW,1e-08,zero
optim.NAdam,1e-08,zero
optim.RAdam,1e-08,zero
optim.Adamax,1e-08,zero
optim.RMSprop,1e-08,zero
optim.Adagrad,1e-10,zero
optim.Adadelta,1e-06,subnormal
"""
"""As the documentation of PyTorch 2.13 gives them, and what float16 makes of each."""
DEFAULTS = [tuple(row.values()) for row in csv.DictReader(io.StringIO(_DEFAULTS.strip()))]

CALLS = {
    "F.batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "F.group_norm": lambda x: F.group_norm(x, 2),
    "F.instance_norm": lambda x: F.instance_norm(x.unsqueeze(0)),
    "F.layer_norm": lambda x: F.layer_norm(x, (6,)),
    "F.gaussian_nll_loss": lambda x: F.gaussian_nll_loss(x, torch.ones_like(x), x.detach().exp()),
    "F.normalize": lambda x: F.normalize(x),
    "F.cosine_similarity": lambda x: F.cosine_similarity(x, torch.ones_like(x)),
    "F.poisson_nll_loss": lambda x: F.poisson_nll_loss(x.exp(), torch.ones_like(x), log_input=False),
    "nn.PairwiseDistance": lambda x: nn.PairwiseDistance()(x, torch.zeros_like(x)),
    "nn.TripletMarginLoss": lambda x: nn.TripletMarginLoss()(x, torch.zeros_like(x), torch.ones_like(x)),
}


class _Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))
        self.function = function

    def forward(self, x):
        return self.function(x * self.scale)


def _batch(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def _sum(output):
    return output.float().sum()


# --- PyTorch's defaults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("api", "default", "held"), DEFAULTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_the_defaults_of_pytorch_are_read_and_judged(api, default, held, dtype):
    if api.startswith("optim."):
        model = nn.Linear(6, 2).to(dtype)
        optimizer = getattr(torch.optim, api.removeprefix("optim."))(model.parameters())
        found = wellposed.epsilons(model, _batch(4, 6).to(dtype), _sum, optimizer)
    else:
        found = wellposed.epsilons(_Calls(CALLS[api]).to(dtype), _batch(4, 6).to(dtype), _sum)
    assert {each.value for each in found} == {float(default)}, str(found)
    is_layer = api in ("F.batch_norm", "F.group_norm", "F.instance_norm", "F.layer_norm")
    # The kernels of layers add ε in float32, whatever they are given.
    dead = dtype == torch.float16 and held == "zero" and not is_layer
    assert {each.value_in_dtype == 0 for each in found} == {dead}
    assert {each.verdict for each in found} == {"ineffective" if dead else "sound"}, str(found)
    assert {each.dtype for each in found} == {"float32" if is_layer else str(dtype).removeprefix("torch.")}


# --- what is measured -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "variances"),
    [
        (nn.LayerNorm(6), (5, 6), lambda x: x.var(-1, correction=0)),
        (nn.LayerNorm((3, 6)), (5, 3, 6), lambda x: x.flatten(1).var(-1, correction=0)),
        (nn.GroupNorm(2, 4), (5, 4, 6), lambda x: x.reshape(5, 2, -1).var(-1, correction=0).flatten()),
        (nn.BatchNorm1d(4), (5, 4, 6), lambda x: x.transpose(0, 1).flatten(1).var(-1, correction=0)),
        (nn.InstanceNorm1d(4), (5, 4, 6), lambda x: x.var(-1, correction=0).flatten()),
        (nn.RMSNorm(6), (5, 6), lambda x: x.square().mean(-1)),
    ],
    ids=["layer", "layer of two dimensions", "group", "batch", "instance", "rms"],
)
def test_the_quantiles_of_variances_are_those_of_the_input(layer, shape, variances):
    x = _batch(*shape)
    (found,) = wellposed.epsilons(nn.Sequential(layer), x, _sum)
    expected = variances(x.double()).sort().values
    spread = found.protected
    assert spread.measured and spread.count == len(expected)
    for share in (0.0, 0.5, 1.0):
        exact = expected[round(share * (len(expected) - 1))].item()
        assert spread.quantile(share) == pytest.approx(exact, rel=1e-6)


def test_variances_far_below_epsilon_are_measured_and_not_lost_in_it():
    """1/√(v + ε) in float32 knows nothing of a variance of 1e-14 beside 1e-5."""
    (found,) = wellposed.epsilons(nn.Sequential(nn.LayerNorm(6)), _batch(5, 6) * 1e-7, _sum)
    assert found.protected.typical == pytest.approx(1e-14, rel=1)
    assert found.verdict == "too large" and found.dominated == 1.0


def test_what_a_running_variance_protects_in_evaluation():
    layer = nn.BatchNorm1d(4).eval()
    layer.running_var.copy_(torch.tensor([1e-7, 2e-7, 3e-7, 4e-7]))
    (found,) = wellposed.epsilons(nn.Sequential(layer), _batch(5, 4), _sum)
    assert found.protected.maximum == pytest.approx(4e-7) and found.verdict == "too large"


def test_the_share_that_is_absorbed_is_counted():
    """Half an ulp of float32 at 1 is 6e-8: 1e-8 beside a half and more is lost, beside 1e-3 it is not."""
    values = torch.tensor([1e-3] * 30 + [1.0] * 70)
    (found,) = wellposed.epsilons(_Calls(lambda x: x.sum() / (values + 1e-8)), _batch(6), _sum)
    assert found.absorbed == pytest.approx(0.7, abs=0.01)
    assert found.spacing == 2.0**-23


def test_operators_in_place_are_measured_before_they_run():
    def function(x):
        norm = x.norm(dim=-1, keepdim=True).clone()
        return x / norm.clamp_min_(100.0 * 1e-5)

    (found,) = wellposed.epsilons(_Calls(function), torch.full((3, 6), 1e-6), _sum)
    assert found.protected.maximum == pytest.approx(1e-6 * 6**0.5, rel=1e-5)
    assert found.verdict == "too large"


def test_a_gradient_taken_inside_the_model_does_not_shift_what_was_measured():
    """Its backward pass runs the same operators as the forward pass, on other values."""

    def function(x):
        first = (x.square() + 1e-6).sqrt().sum()
        (slope,) = torch.autograd.grad(first, x, create_graph=True)
        return slope.sum() + (1 / (x.square() * 1e4 + 1e-6)).sum()

    found = wellposed.epsilons(_Calls(function), torch.ones(2, 6), _sum)
    sizes = {each.protected.typical for each in found if each.protected.measured}
    assert 1e4 in sizes


# --- models -----------------------------------------------------------------------------------------------------------


def _bert():
    transformers = pytest.importorskip("transformers")
    settings = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    return transformers.BertForSequenceClassification(settings), "LayerNorm", 1e-12, 5


def _llama():
    transformers = pytest.importorskip("transformers")
    settings = transformers.LlamaConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    return transformers.LlamaForCausalLM(settings), "LlamaRMSNorm", 1e-6, 5


@pytest.mark.parametrize("make", [_bert, _llama])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_transformers(make, dtype):
    torch.manual_seed(0)
    model, kind, epsilon, count = make()
    model = model.to(dtype)
    ids = torch.randint(0, 50, (2, 7))
    labels = ids if kind == "LlamaRMSNorm" else torch.tensor([0, 1])
    optimizer = torch.optim.AdamW(model.parameters())
    found = wellposed.epsilons(model, {"input_ids": ids, "labels": labels}, optimizer=optimizer)
    layers = [each for each in found if each.kind != "AdamW"]
    assert len(layers) == count and {each.value for each in layers} == {epsilon}
    assert len({each.where.module for each in layers}) == count
    assert all(each.sound and each.protected.measured for each in layers), str(found)
    # Both add their ε in float32, whatever the model's dtype is; Adam adds it in that of the weights.
    assert {each.dtype for each in layers} == {"float32"}
    assert [each.verdict for each in found if each.kind == "AdamW"] == [
        "ineffective" if dtype == torch.float16 else "sound"
    ]


def test_autocast():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.norm = nn.Linear(6, 6), nn.LayerNorm(6)

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                y = self.linear(x)
                return F.normalize(self.norm(y), dim=-1)

    found = wellposed.epsilons(Model(), _batch(4, 6), lambda y: y.float().square().mean())
    assert [(each.kind, each.verdict) for each in found] == [("layer_norm", "sound"), ("normalize", "sound")]
    assert found[0].dtype == "float32"


def test_without_a_loss_the_forward_pass_is_judged():
    found = wellposed.epsilons(nn.Sequential(nn.LayerNorm(6)), _batch(5, 6))
    assert [(each.kind, each.verdict) for each in found] == [("layer_norm", "sound")]


def test_a_model_without_epsilons():
    found = wellposed.epsilons(nn.Linear(6, 2), _batch(5, 6), _sum)
    assert len(found) == 0 and str(found) == "no epsilon was met\n"


def test_what_the_model_raises_is_raised():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        wellposed.epsilons(nn.Linear(6, 2), _batch(5, 7), _sum)


# --- the patient ------------------------------------------------------------------------------------------------------


def test_the_model_is_left_as_it_was_and_computes_what_it_computes_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters())
    model(_batch(4, 6)).sum().backward()
    state, gradients = copy.deepcopy(model.state_dict()), [each.grad.clone() for each in model.parameters()]
    random = torch.get_rng_state()
    seen = []
    wellposed.epsilons(model, _batch(4, 6), lambda y: seen.append(y.detach().clone()) or y.sum(), optimizer)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert all(torch.equal(before, each.grad) for before, each in zip(gradients, model.parameters(), strict=True))
    assert not optimizer.state
    assert torch.equal(seen[0], model(_batch(4, 6)))


def test_the_report_is_a_sequence_and_a_table():
    model = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.LayerNorm(6, eps=10.0))
    found = wellposed.epsilons(model, _batch(5, 6), _sum)
    assert len(found) == 2 and found[1] in found.unsound and list(found[:1]) == [found[0]]
    assert repr(found) == "<EpsilonReport: 2 epsilons, 1 sound>"
    text = str(found)
    assert text.startswith("2 epsilons, 1 sound\n")
    words = " ".join(text.split())
    assert "too large layer_norm" in words and "10 float32" in words and "it decides the result." in words


def test_a_recorded_run_has_them_in_its_json(tmp_path):
    model = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6, eps=10.0))
    with wellposed.watch(model, path=tmp_path / "a.wellposed", operators=True) as watched:
        model(_batch(5, 6)).square().mean().backward()
    with watched.record as record:
        told = json.loads(to_json_text([(record, watched.diagnosis)]))
    (found,) = told["epsilons"]
    assert (found["verdict"], found["kind"], found["value"]) == ("too large", "layer_norm", 10.0)
    assert found["protected"]["quantiles"] is None
    assert found["recommended"]["high"] < 10.0
