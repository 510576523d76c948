"""MLP classification of spirals, SGD with momentum"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def spirals(per_class, classes=3):
    radius = torch.linspace(0.05, 1, per_class).repeat(classes)
    label = torch.arange(classes).repeat_interleave(per_class)
    angle = radius * 4 + label * 2 * math.pi / classes + 0.15 * torch.randn(len(radius))
    return torch.stack([radius * angle.sin(), radius * angle.cos()], dim=1), label


class Classifier(nn.Module):
    def __init__(self, hidden=100):
        super().__init__()
        self.hidden1 = nn.Linear(2, hidden)
        self.hidden2 = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, 3)

    def forward(self, x):
        x = torch.tanh(self.hidden1(x))
        x = torch.tanh(self.hidden2(x))
        return self.output(x)


torch.manual_seed(1)
points, labels = spirals(300)
loader = DataLoader(TensorDataset(points, labels), batch_size=90, shuffle=True)
model = Classifier()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)

for epoch in range(80):
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}")

accuracy = (model(points).argmax(1) == labels).float().mean()
print(f"accuracy {accuracy:.1%}")
