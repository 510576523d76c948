"""Lightning module with two-phase schedule and validation"""

import logging
import warnings

import lightning as L
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="lightning")


class Classifier(L.LightningModule):
    def __init__(self, inputs=24, width=64, classes=6, learning_rate=3e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(0.1), nn.Linear(width, classes)
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, _):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        x, y = batch
        self.log("accuracy", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.learning_rate)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)]


def main():
    L.seed_everything(0, verbose=False)
    centre = torch.randn(6, 24)
    y = torch.randint(6, (2000,))
    x = centre[y] + 1.2 * torch.randn(2000, 24)
    train, held_out = TensorDataset(x[:1600], y[:1600]), TensorDataset(x[1600:], y[1600:])
    trainer = L.Trainer(
        max_epochs=8, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=1.0,
    )  # fmt: skip
    model = Classifier()
    trainer.fit(model, DataLoader(train, batch_size=50, shuffle=True), DataLoader(held_out, batch_size=400))
    print({name: round(value.item(), 3) for name, value in trainer.callback_metrics.items()})


if __name__ == "__main__":
    main()
