"""gradient accumulation over four small batches"""

import torch
from torch import nn


class ConvClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv1d(16, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(1),
        )
        self.classifier = nn.Linear(32, 3)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def pulses(batch_size):
    """A square, a triangular or a Gaussian pulse somewhere in noise."""
    kind = torch.randint(3, (batch_size,))
    distance = (torch.arange(64) - torch.randint(16, 48, (batch_size, 1))).abs()
    shape = torch.stack([(distance < 8).float(), (1 - distance / 12).clamp(min=0), torch.exp(-((distance / 4) ** 2))])
    return (1.5 * shape[kind, torch.arange(batch_size)] + 0.2 * torch.randn(batch_size, 64)).unsqueeze(1), kind


def main():
    torch.manual_seed(0)
    model = ConvClassifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    accumulation_steps = 4
    running = 0.0
    for i in range(1200):
        inputs, targets = pulses(8)
        loss = criterion(model(inputs), targets) / accumulation_steps
        loss.backward()
        running += loss.item()
        if (i + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
        if (i + 1) % 120 == 0:
            print(f"batch {i + 1}: loss {running / 30:.4f}")
            running = 0.0


if __name__ == "__main__":
    main()
