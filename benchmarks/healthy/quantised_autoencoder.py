"""VQ-VAE, straight-through gradients and a codebook"""

import torch
from torch import nn
from torch.nn import functional as F


class VectorQuantizer(nn.Module):
    def __init__(self, codes, size, commitment=0.25):
        super().__init__()
        self.codebook = nn.Embedding(codes, size)
        self.commitment = commitment

    def forward(self, z):
        distance = z.pow(2).sum(1, keepdim=True) - 2 * z @ self.codebook.weight.T + self.codebook.weight.pow(2).sum(1)
        index = distance.argmin(dim=1)
        quantised = self.codebook(index)
        loss = F.mse_loss(quantised, z.detach()) + self.commitment * F.mse_loss(z, quantised.detach())
        return z + (quantised - z).detach(), loss, index


class VQVAE(nn.Module):
    def __init__(self, inputs=32, size=8, codes=24):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, size), nn.LayerNorm(size))
        self.quantizer = VectorQuantizer(codes, size)
        self.decoder = nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, inputs))

    def forward(self, x):
        z, loss, index = self.quantizer(self.encoder(x))
        return self.decoder(z), loss, index


torch.manual_seed(0)
shapes = torch.randn(16, 32).cumsum(dim=1) / 6
model = VQVAE()
with torch.no_grad():  # the codebook starts with what the encoder says of a first few pictures
    first = shapes.repeat(2, 1)[:24] + 0.1 * torch.randn(24, 32)
    model.quantizer.codebook.weight.copy_(model.encoder(first))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(600):
    x = shapes[torch.randint(16, (64,))] + 0.1 * torch.randn(64, 32)
    reconstruction, vq_loss, index = model(x)
    loss = F.mse_loss(reconstruction, x) + vq_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0:
        print(f"step {step}: loss {loss.item():.4f}, {len(index.unique())} codes in use")
