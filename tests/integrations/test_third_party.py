"""Models and trainers of others, with random weights and little data: they train a few steps without an alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.capture.observing import Observed, observe  # noqa: E402
from tests.cli.commands import Ended, python, wellposed  # noqa: E402
from wellposed.diagnosis import diagnose  # noqa: E402
from wellposed.record import Record  # noqa: E402

pytestmark = pytest.mark.slow
NO_TOKENS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}


def _told(diagnosis) -> str:
    return "\n".join(f"{each.role} {each.rule} {each.where}: {each.message}" for each in diagnosis.findings)


def _is_healthy(record: Record) -> None:
    diagnosis = diagnose(record)
    assert diagnosis.verdict == "healthy", _told(diagnosis)
    assert not diagnosis.failed_rules
    assert not record.events("recorder-failed")


# --- models of transformers ---------------------------------------------------------------------------------------


def _gpt2(library):
    model = library.GPT2LMHeadModel(
        library.GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=64, n_positions=32, **NO_TOKENS)
    )
    ids = torch.randint(1, 64, (2, 16))
    return model, lambda: model(ids, labels=ids)


def _bert(library):
    model = library.BertForMaskedLM(
        library.BertConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=64,
            max_position_embeddings=32,
        )
    )  # fmt: skip
    ids, mask = torch.randint(1, 64, (2, 16)), torch.ones(2, 16, dtype=torch.long)
    mask[1, 10:] = 0
    labels = ids.masked_fill(torch.rand(2, 16) > 0.3, -100)
    labels[0, 0] = 5
    return model, lambda: model(ids, attention_mask=mask, labels=labels)


def _vit(library):
    model = library.ViTForImageClassification(
        library.ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=16,
            patch_size=4, num_labels=5,
        )
    )  # fmt: skip
    pixels, labels = torch.randn(4, 3, 16, 16), torch.arange(4)
    return model, lambda: model(pixels, labels=labels)


def _t5(library):
    model = library.T5ForConditionalGeneration(
        library.T5Config(
            d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, vocab_size=64, decoder_start_token_id=0,
            pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip
    ids, labels = torch.randint(2, 64, (2, 12)), torch.randint(2, 64, (2, 6))
    return model, lambda: model(input_ids=ids, labels=labels)


def _resnet(library):
    model = library.ResNetForImageClassification(
        library.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
        )
    )  # fmt: skip
    pixels, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    return model, lambda: model(pixels, labels=labels)


MODELS = {"GPT-2": _gpt2, "BERT": _bert, "ViT": _vit, "T5": _t5, "ResNet": _resnet}


def _train_library_model(name: str, steps: int = 5) -> list[float]:
    library = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model, forward = MODELS[name](library)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    losses = []
    for _ in range(steps):
        loss = forward().loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_transformers_trains_without_an_alarm(tmp_path, name):
    seen = observe(tmp_path, lambda: _train_library_model(name))
    _is_healthy(seen.record)
    assert seen.result == _train_library_model(name)
    assert [each.loss for each in seen.record.steps()] == pytest.approx(seen.result)
    assert {each.phase for each in seen.operations} == {"forward", "backward", "optimizer"}
    backward = [each for each in seen.operations if each.phase == "backward" and not each.is_view]
    assert sum(each.forward is not None for each in backward) > 0.5 * len(backward)


# --- compiled models ----------------------------------------------------------------------------------------------


def _train_compiled() -> list[float]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 1))
    compiled = torch.compile(model)
    other = torch.compile(lambda x: x.sin() + 1.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x = torch.randn(8, 4)
    losses = []
    for _ in range(3):
        loss = compiled(other(x)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_compiled_model_runs_eagerly_is_said_once_and_the_stance_is_put_back(tmp_path):
    from torch._dynamo import eval_frame

    before = eval_frame._stance.stance
    seen: Observed = observe(tmp_path, _train_compiled)
    assert len(seen.record.events("compiled-model-run-eagerly")) == 1
    assert len(seen.all("gelu")) == 3
    assert {each.module.rpartition(".")[2] for each in seen.all("gelu")} == {"1"}
    _is_healthy(seen.record)
    assert eval_frame._stance.stance == before


# --- trainers -----------------------------------------------------------------------------------------------------

LIGHTNING = """\
import logging, warnings, torch
warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
import lightning
from torch.utils.data import DataLoader, TensorDataset

class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    def training_step(self, batch, _):
        loss = (self.layers(batch[0]) - batch[1]).pow(2).mean()
        self.log("loss", loss)
        return loss
    def validation_step(self, batch, _):
        self.log("validation", (self.layers(batch[0]) - batch[1]).pow(2).mean())
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)

if __name__ == "__main__":
    lightning.seed_everything(0, verbose=False)
    x = torch.randn(64, 4)
    data = TensorDataset(x, x.sum(1, keepdim=True))
    trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False)
    module = Module()
    loaders = DataLoader(data, 16, num_workers=1), DataLoader(data, 32)
    trainer.fit(module, *loaders)
    print(sum(each.double().sum().item() for each in module.parameters()))
"""

TRAINER = """\
import torch, transformers
class Data(torch.utils.data.Dataset):
    def __len__(self): return 16
    def __getitem__(self, index): return {"x": torch.full((4,), index / 16), "labels": torch.tensor([float(index % 3)])}
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    def forward(self, x, labels):
        difference = self.layers(x) - labels
        return {"loss": LOSS}
transformers.set_seed(0)
arguments = transformers.TrainingArguments("out", max_steps=8, per_device_train_batch_size=4, use_cpu=True,
    report_to=[], save_strategy="no", logging_steps=2, disable_tqdm=True)
model = Model()
trainer = transformers.Trainer(model, arguments, train_dataset=Data())
trainer.train()
print(sum(each.double().sum().item() for each in model.parameters()))
"""


def _ran(folder: Path, text: str, *options: str) -> tuple[Ended, Ended]:
    (folder / "train.py").write_text(text, encoding="utf-8")
    return python(folder, "train.py"), wellposed(folder, "run", *options, "train.py")


def test_lightning_with_a_worker(tmp_path):
    pytest.importorskip("lightning")
    plain, ran = _ran(tmp_path, LIGHTNING)
    assert (ran.code, ran.stdout) == (0, plain.stdout), ran.stderr
    with Record(tmp_path / "train.wellposed") as record:
        _is_healthy(record)
        assert [each.loss is not None for each in record.steps()] == [True] * 8
        assert {each.name for each in record.parameters()} >= {"Module.layers.0.weight", "Module.layers.2.bias"}
        lines = {each.site.line for each in record.operations("addmm", step=0)}
        assert [line for line in lines if "self.layers(batch[0])" in LIGHTNING.splitlines()[line - 1]]


def test_trainer_of_transformers(tmp_path):
    pytest.importorskip("accelerate")
    plain, ran = _ran(tmp_path, TRAINER.replace("LOSS", "difference.pow(2).mean()"))
    assert ran.code == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == plain.stdout.splitlines()[-1]
    with Record(tmp_path / "train.wellposed") as record:
        _is_healthy(record)
        assert len(record.steps()) == 8


def test_a_nan_that_the_trainer_hides_from_its_log_is_seen(tmp_path):
    pytest.importorskip("accelerate")
    plain, ran = _ran(tmp_path, TRAINER.replace("LOSS", "(difference * 0.0).log().mean()"))
    assert plain.code == ran.code == 0, ran.stderr
    with Record(tmp_path / "train.wellposed") as record:
        (event,) = record.events("trainer")
        assert event.details["logging_nan_inf_filter"] is True
        assert record.events("nonfinite-loss")
        diagnosis = diagnose(record)
        assert diagnosis.verdict == "unstable-function", _told(diagnosis)
