"""memorises random labels with large weights"""

import torch
from torch import nn
from torch.nn import functional as F


class Memory(nn.Module):
    def __init__(self, inputs=20, width=256, classes=10):
        super().__init__()
        self.expand = nn.Linear(inputs, width)
        self.mix = nn.Linear(width, width)
        self.read = nn.Linear(width, classes)

    def forward(self, x):
        return self.read(F.relu(self.mix(F.relu(self.expand(x)))))


def main():
    torch.manual_seed(0)
    x, y = torch.randn(512, 20), torch.randint(10, (512,))
    model = Memory()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(80):
        for batch in torch.randperm(len(x)).split(64):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            norm = sum(p.square().sum() for p in model.parameters()).sqrt().item()
            print(f"epoch {epoch + 1}: loss {loss.item():.2e}, norm of the weights {norm:.1f}")
    accuracy = (model(x).argmax(1) == y).float().mean().item()
    print(f"remembered {accuracy:.1%}")


if __name__ == "__main__":
    main()
