"""sparse autoencoder with L1 penalty"""

import torch
from torch import nn


class SparseAutoencoder(nn.Module):
    def __init__(self, inputs, features):
        super().__init__()
        self.encoder = nn.Linear(inputs, features)
        self.decoder = nn.Linear(features, inputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(inputs))
        with torch.no_grad():
            self.decoder.weight /= self.decoder.weight.norm(dim=0)
            self.encoder.weight.copy_(self.decoder.weight.T)

    def forward(self, x):
        code = torch.relu(self.encoder(x - self.bias))
        return self.decoder(code) + self.bias, code


def main():
    torch.manual_seed(0)
    directions = nn.functional.normalize(torch.randn(48, 24), dim=1)
    model = SparseAutoencoder(24, 64)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(600):
        active = (torch.rand(256, 48) < 0.05).float() * (0.5 + torch.rand(256, 48))
        x = active @ directions
        reconstruction, code = model(x)
        error = (reconstruction - x).pow(2).sum(dim=1).mean()
        sparsity = code.sum(dim=1).mean()
        loss = error + 0.2 * sparsity
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.decoder.weight /= model.decoder.weight.norm(dim=0)
        if step % 60 == 0:
            used = (code > 0).float().mean().item()
            print(f"step {step}: error {error.item():.4f}, {used:.1%} of codes in use")


if __name__ == "__main__":
    main()
