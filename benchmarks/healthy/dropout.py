"""dropout 0.5 between wide layers"""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Seven-segment digits with noise."""

    SEGMENTS = torch.tensor(
        [
            [1, 1, 1, 0, 1, 1, 1],
            [0, 0, 1, 0, 0, 1, 0],
            [1, 0, 1, 1, 1, 0, 1],
            [1, 0, 1, 1, 0, 1, 1],
            [0, 1, 1, 1, 0, 1, 0],
            [1, 1, 0, 1, 0, 1, 1],
            [1, 1, 0, 1, 1, 1, 1],
            [1, 0, 1, 0, 0, 1, 0],
            [1, 1, 1, 1, 1, 1, 1],
            [1, 1, 1, 1, 0, 1, 1],
        ]
    )

    def __init__(self, count):
        self.digit = torch.arange(count) % 10
        picture = self.SEGMENTS[self.digit].float().repeat_interleave(4, dim=1)
        self.picture = picture + 0.5 * torch.randn(count, 28)

    def __len__(self):
        return len(self.digit)

    def __getitem__(self, index):
        return self.picture[index], self.digit[index]


torch.manual_seed(0)
train, test = Digits(2000), Digits(500)
model = nn.Sequential(
    nn.Linear(28, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10)
)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(8):
    model.train()
    for picture, digit in DataLoader(train, batch_size=64, shuffle=True):
        loss = F.cross_entropy(model(picture), digit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        error = F.cross_entropy(model(test.picture), test.digit).item()
    print(f"epoch {epoch}: training {loss.item():.4f}, test {error:.4f}")
