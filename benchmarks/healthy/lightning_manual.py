"""Lightning with manual optimization, adversarial autoencoder"""

import logging
import warnings

import lightning as L
import torch
from torch import nn
from torch.nn import functional as F

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="lightning")


class AdversarialAutoencoder(L.LightningModule):
    def __init__(self, inputs=16, latent=2, width=48):
        super().__init__()
        self.automatic_optimization = False
        self.encoder = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, inputs))
        self.critic = nn.Sequential(nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, 1))

    def training_step(self, batch, _):
        (x,) = batch
        auto, judge = self.optimizers()
        code = self.encoder(x)
        error = F.mse_loss(self.decoder(code), x)
        fooled = F.softplus(-self.critic(code)).mean()
        auto.zero_grad()
        self.manual_backward(error + 0.05 * fooled)
        auto.step()

        drawn = torch.randn_like(code)
        judged = F.softplus(-self.critic(drawn)).mean() + F.softplus(self.critic(code.detach())).mean()
        judge.zero_grad()
        self.manual_backward(judged)
        judge.step()
        self.log_dict({"error": error, "judged": judged})

    def configure_optimizers(self):
        both = [*self.encoder.parameters(), *self.decoder.parameters()]
        return torch.optim.Adam(both, lr=2e-3), torch.optim.Adam(self.critic.parameters(), lr=1e-3)


L.seed_everything(0, verbose=False)
latent = torch.randn(1600, 2)
data = torch.tanh(latent @ torch.randn(2, 16)) + 0.05 * torch.randn(1600, 16)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data), batch_size=64, shuffle=True)
trainer = L.Trainer(
    max_epochs=12,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(AdversarialAutoencoder(), loader)
print({name: round(value.item(), 3) for name, value in trainer.callback_metrics.items()})
