"""sigmoid outputs and gates that saturate because the task is solved"""

import torch
from torch import nn


class Multiplexer(nn.Module):
    """Three address bits choose one of eight data bits."""

    def __init__(self, width=64):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(3, width), nn.Sigmoid())
        self.value = nn.Linear(8, width)
        self.output = nn.Sequential(nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1), nn.Sigmoid())

    def forward(self, bits):
        return self.output(self.gate(bits[:, :3]) * self.value(bits[:, 3:])).squeeze(1)


def questions(n):
    bits = torch.randint(2, (n, 11)).float()
    address = (bits[:, :3] @ torch.tensor([4.0, 2.0, 1.0])).long()
    return 2 * bits - 1, bits[:, 3:].gather(1, address[:, None]).squeeze(1)


def main():
    torch.manual_seed(0)
    model = Multiplexer()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.BCELoss()
    for step in range(800):
        bits, answer = questions(128)
        predicted = model(bits)
        loss = criterion(predicted, answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 80 == 0:
            certain = ((predicted < 0.001) | (predicted > 0.999)).float().mean().item()
            print(f"step {step}: loss {loss.item():.2e}, certain of {certain:.0%}")


if __name__ == "__main__":
    main()
