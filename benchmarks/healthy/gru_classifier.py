"""GRU that classifies time series"""

import torch
from torch import nn


class SeriesClassifier(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.classify = nn.Linear(hidden, classes)

    def forward(self, series):
        _, last = self.gru(series)
        return self.classify(last[-1])


def make_series(count, length=40):
    """Damped, steady, growing and chirping oscillations."""
    kind = torch.randint(4, (count,))
    time = torch.linspace(0, 1, length)
    frequency = 3 + 2 * torch.rand(count, 1)
    steady = torch.sin(2 * torch.pi * frequency * time + 6.28 * torch.rand(count, 1))
    chirp = torch.sin(2 * torch.pi * frequency * (0.5 + 1.5 * time) * time)
    shapes = torch.stack([steady * torch.exp(-3 * time), steady, steady * torch.exp(3 * time - 3), chirp])
    clean = shapes[kind, torch.arange(count)]
    return (clean + 0.05 * torch.randn(count, length)).unsqueeze(-1), kind


def main():
    torch.manual_seed(7)
    model = SeriesClassifier(1, 48, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_function = nn.CrossEntropyLoss()
    running = None
    for step in range(400):
        series, kind = make_series(64)
        loss = loss_function(model(series), kind)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        running = loss.item() if running is None else 0.95 * running + 0.05 * loss.item()
        if step % 40 == 0:
            print(f"{step:4d} {running:.3f}")


if __name__ == "__main__":
    main()
