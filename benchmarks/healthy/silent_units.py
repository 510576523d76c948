"""wide ReLU layer of which few units speak, by a negative bias"""

import torch
from torch import nn
from torch.nn import functional as F


class SparseNet(nn.Module):
    """A wide hidden layer; a negative bias keeps most of it silent for any one input."""

    def __init__(self, inputs, width, classes):
        super().__init__()
        self.expand = nn.Linear(inputs, width)
        self.read = nn.Linear(width, classes)
        nn.init.kaiming_normal_(self.expand.weight)
        nn.init.constant_(self.expand.bias, -3.5)

    def forward(self, x):
        code = F.relu(self.expand(x))
        return self.read(code), code


def prototypes_data(n, prototypes):
    which = torch.randint(len(prototypes), (n,))
    return prototypes[which] + 0.4 * torch.randn(n, prototypes.shape[1]), which % 8


def main():
    torch.manual_seed(0)
    prototypes = torch.randn(80, 32)
    model = SparseNet(32, 512, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(500):
        x, y = prototypes_data(128, prototypes)
        logits, code = model(x)
        loss = F.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.4f}, {(code > 0).float().mean().item():.1%} of the units active")


if __name__ == "__main__":
    main()
