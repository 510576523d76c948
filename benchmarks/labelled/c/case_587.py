import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(5)


class Quantizer(nn.Module):
    def __init__(self, num_codes, dim, beta=0.25):
        super().__init__()
        self.codebook = nn.Embedding(num_codes, dim)
        self.codebook.weight.data.uniform_(-0.5, 0.5)
        self.beta = beta

    def forward(self, z):
        index = torch.cdist(z, self.codebook.weight).argmin(1)
        q = self.codebook(index)
        extra = F.mse_loss(q, z.detach()) + self.beta * F.mse_loss(z, q.detach())
        return z + (q - z).detach(), extra, index


class VQVAE(nn.Module):
    def __init__(self, d_in=20, d_z=4, codes=64):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(d_in, 64), nn.ReLU(), nn.Linear(64, d_z))
        self.quantizer = Quantizer(codes, d_z)
        self.decoder = nn.Sequential(nn.Linear(d_z, 64), nn.ReLU(), nn.Linear(64, d_in))

    def forward(self, x):
        q, extra, index = self.quantizer(self.encoder(x))
        return self.decoder(q), extra, index


centres = torch.randn(16, 20)
data = centres[torch.randint(0, 16, (2000,))] + 0.1 * torch.randn(2000, 20)
model = VQVAE()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(20):
    for batch in data[torch.randperm(2000)].split(100):
        recon, extra, _ = model(batch)
        loss = F.mse_loss(recon, batch) + extra
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        recon, extra, index = model(data)
    if epoch % 4 == 3:
        print(f"epoch {epoch} reconstruction {F.mse_loss(recon, data).item():.4f} codes in use {index.unique().numel()}")
