"""Which frame a place in the source is: the user's own, with the library's beside it."""

from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from tests.capture.observing import line_of, observe  # noqa: E402
from wellposed.capture.sites import Sites  # noqa: E402


def _compiled(source: str, file: str, **names):
    """The functions of `source`, as if it stood in `file`."""
    namespace = dict(names)
    exec(compile(source, file, "exec"), namespace)
    return namespace


def _place(folder, file: str, sites: Sites | None = None, **names):
    rows = []
    sites = sites or Sites(str(folder), rows.append)
    number = _compiled("def ask(here):\n    return here()\n", file)["ask"](sites.here)
    return number, rows


def test_a_file_of_the_user_is_told_relative_to_the_scripts_folder(tmp_path):
    number, rows = _place(tmp_path, str(tmp_path / "models" / "net.py"))
    assert number == 1
    assert rows == [(1, "models/net.py", 2, "ask", None, None, None)]


def test_a_file_elsewhere_is_told_absolute(tmp_path):
    _, rows = _place(tmp_path, "/somewhere/else.py")
    assert rows[0][1] == "/somewhere/else.py"


@pytest.mark.parametrize(
    "file",
    [
        f"{sys.prefix}/lib/python3/site-packages/timm/layers.py",
        "/usr/lib/python3/dist-packages/timm/layers.py",
        "/home/someone/site-packages/torch/nn/functional.py",
        "<string>",
        "<frozen importlib._bootstrap>",
    ],
)
def test_what_is_installed_is_not_the_users_own(tmp_path, file):
    _, rows = _place(tmp_path, file)
    assert rows[0][1].endswith("test_sites.py")  # the nearest frame of the user's own is this file


@pytest.mark.parametrize("file", ["<stdin>", "<ipython-input-3-abc>"])
def test_what_is_typed_in_is_the_users_own(tmp_path, file):
    _, rows = _place(tmp_path, file)
    assert rows[0][1].endswith(file)


def test_an_installed_file_stands_beside_the_users(tmp_path):
    _, rows = _place(tmp_path, "/env/site-packages/timm/layers.py")
    assert rows[0][4:] == ("timm/layers.py", 2, "ask")


def test_a_library_wins_over_pytorch_beside_the_users(tmp_path):
    rows = []
    sites = Sites(str(tmp_path), rows.append)
    inner = _compiled("def inner(here):\n    return here()\n", "/env/site-packages/torch/nn/functional.py")["inner"]
    outer = _compiled("def outer(here):\n    return inner(here)\n", "/env/site-packages/timm/a.py", inner=inner)
    outer["outer"](sites.here)
    assert rows[0][4:] == ("timm/a.py", 2, "outer")


def test_a_place_keeps_its_number(tmp_path):
    rows = []
    sites = Sites(str(tmp_path), rows.append)
    ask = _compiled("def ask(here):\n    return here()\n", str(tmp_path / "a.py"))["ask"]
    assert {ask(sites.here) for _ in range(3)} == {1}
    assert ask(lambda: sites.here()) == 2  # through a line of this file, which is the innermost
    assert len(rows) == 2


def test_the_place_to_be_skipped_is_no_place_but_one_below_it_is(tmp_path):
    sites = Sites(str(tmp_path), lambda _: None)
    engine = _compiled("def run(f): return f()\n", "/env/site-packages/torch/autograd.py")["run"]
    train = _compiled("def train(engine, f):\n    return engine(f)\n", str(tmp_path / "train.py"))["train"]
    library = "/env/site-packages/torch/hooks.py"
    direct = _compiled("def direct(): return sites.here(sites.user_frame())\n", library, sites=sites)["direct"]
    outer = _compiled("def outer(): return call(sites.user_frame())\n", library, sites=sites, call=sites.here)
    outer["call"] = _compiled("def deeper(skip): return here(skip)\n", str(tmp_path / "custom.py"), here=sites.here)[
        "deeper"
    ]
    assert train(engine, direct) == -1
    assert train(engine, outer["outer"]) > 0


class Inner(nn.Module):
    def forward(self, x):
        return torch.softmax(x, -1)  # in the inner module


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Inner(), Inner()])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.exp()  # in the outer module


def test_lines_and_modules_of_nested_modules(tmp_path):
    def program():
        Outer()(torch.ones(2, 3))

    seen = observe(tmp_path, program)
    assert [each.module for each in seen.all("_softmax")] == ["Outer.layers.0", "Outer.layers.1"]
    assert {each.site.line for each in seen.all("_softmax")} == {line_of(__file__, "in the inner module")}
    assert (seen.only("exp").module, seen.only("exp").site.line) == ("Outer", line_of(__file__, "in the outer module"))


def test_pytorchs_own_layer_stands_beside_the_users_line(tmp_path):
    def program():
        nn.Sequential(nn.Linear(2, 2), nn.GELU())(torch.ones(1, 2))  # the call

    gelu = observe(tmp_path, program).only("gelu")
    assert gelu.site.line == line_of(__file__, "the call")
    assert gelu.site.library_file == "torch/nn/modules/activation.py"


def test_a_library_model_is_told_by_the_users_call_and_its_own_file(tmp_path):
    transformers = pytest.importorskip("transformers")
    configuration = transformers.GPT2Config(
        n_layer=1, n_head=2, n_embd=8, vocab_size=20, n_positions=8, bos_token_id=0, eos_token_id=0
    )
    ids = torch.arange(6).reshape(1, 6)

    def program():
        model = transformers.GPT2LMHeadModel(configuration)
        return model(ids).logits  # into the library

    seen = observe(tmp_path, program)
    inside = [each for each in seen.operations if "attn" in each.module and each.base == "addmm"]
    assert inside
    assert {each.site.line for each in inside} == {line_of(__file__, "into the library")}
    assert {each.site.library_file.split("/")[0] for each in inside} == {"transformers"}


def test_the_source_is_kept_as_it_was(tmp_path):
    seen = observe(tmp_path, lambda: torch.ones(2).exp())
    (site,) = {each.site.file for each in seen.operations}
    with open(__file__, encoding="utf-8") as stream:
        assert seen.record.source(site) == stream.read()
