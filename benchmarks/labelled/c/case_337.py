import os
import tempfile

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

rng = np.random.default_rng(0)
torch.manual_seed(0)
SHAPES = 3


def write_scans(folder, n):
    """scan_0.npy, scan_1.npy, ... and labels.csv"""
    labels = rng.integers(0, SHAPES, n)
    for i, c in enumerate(labels):
        image = rng.normal(0, 0.3, (12, 12)).astype(np.float32)
        image[2 + 3 * c:5 + 3 * c, 2:10] += 1.0
        np.save(os.path.join(folder, f"scan_{i}.npy"), image)
    np.savetxt(os.path.join(folder, "labels.csv"), labels, fmt="%d")


class Scans(Dataset):
    def __init__(self, folder):
        self.files = sorted(f for f in os.listdir(folder) if f.endswith(".npy"))
        self.labels = np.loadtxt(os.path.join(folder, "labels.csv"), dtype=np.int64)
        self.images = [np.load(os.path.join(folder, f)) for f in self.files]

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return torch.from_numpy(self.images[i]).unsqueeze(0), int(self.labels[i])


with tempfile.TemporaryDirectory() as folder:
    write_scans(folder, 500)
    data = Scans(folder)
train, test = torch.utils.data.random_split(data, [400, 100])
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 32), nn.ReLU(), nn.Linear(32, SHAPES))
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(8):
    total = 0.0
    for x, y in DataLoader(train, batch_size=25, shuffle=True):
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(y)
    with torch.no_grad():
        hits = sum((net(x).argmax(1) == y).sum().item() for x, y in DataLoader(test, batch_size=50))
    print(f"epoch {epoch} train loss {total / len(train):.4f} test accuracy {hits / len(test):.3f}")
