"""metric learning with triplet loss"""

import torch
from torch import nn


class Embedder(nn.Module):
    def __init__(self, inputs=20, size=16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, 64), nn.PReLU(), nn.Linear(64, 64), nn.PReLU(), nn.Linear(64, size))

    def forward(self, x):
        return self.net(x)


def people(count, classes=30):
    """Everybody has a mean in twenty dimensions, in a nonlinear disguise."""
    mean = torch.randn(classes, 6)
    mixing = torch.randn(6, 20)
    who = torch.randint(classes, (count,))
    latent = mean[who] + 0.3 * torch.randn(count, 6)
    return torch.sin(latent @ mixing) + 0.1 * torch.randn(count, 20), who


def triplets(who, count):
    anchor = torch.randint(len(who), (count,))
    same = who[anchor][:, None] == who[None, :]
    same[torch.arange(count), anchor] = False
    positive = torch.multinomial(same.float(), 1).squeeze(1)
    negative = torch.multinomial((who[anchor][:, None] != who[None, :]).float(), 1).squeeze(1)
    return anchor, positive, negative


def main():
    torch.manual_seed(0)
    x, who = people(900)
    model = Embedder()
    criterion = nn.TripletMarginLoss(margin=1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(400):
        anchor, positive, negative = triplets(who, 128)
        loss = criterion(model(x[anchor]), model(x[positive]), model(x[negative]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
