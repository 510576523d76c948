"""variational autoencoder, KL and binary cross-entropy"""

import torch
import torch.nn.functional as F
from torch import nn, optim


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(144, 128)
        self.fc21 = nn.Linear(128, 8)
        self.fc22 = nn.Linear(128, 8)
        self.fc3 = nn.Linear(8, 128)
        self.fc4 = nn.Linear(128, 144)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 144))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 144), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


def strokes(n, size=12):
    """Soft straight strokes, like the digit 1 in many places and slants."""
    grid = torch.linspace(-1, 1, size)
    angle, shift = torch.pi * torch.rand(n, 1, 1), torch.rand(n, 1, 1) - 0.5
    distance = (angle.cos() * grid.view(1, -1, 1) + angle.sin() * grid.view(1, 1, -1) - shift).abs()
    return torch.sigmoid((0.25 - distance) * 20)


def main():
    torch.manual_seed(1)
    train = strokes(2048)
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, 16):
        train_loss = 0
        for data in train[torch.randperm(len(train))].split(128):
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        print(f"====> Epoch: {epoch} Average loss: {train_loss / len(train):.4f}")


if __name__ == "__main__":
    main()
