import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(21)
N, SIZE = 400, 20


def record(direction):
    scene = 90 + rng.integers(0, 60, (SIZE, SIZE))
    row, col = rng.integers(5, SIZE - 8, 2)
    frames = []
    for shift in (0, 2 * direction):
        frame = scene + rng.integers(-6, 7, (SIZE, SIZE))
        frame[row:row + 4, col + shift:col + shift + 4] += 70
        frames.append(frame.clip(0, 255))
    return np.stack(frames)


clips = np.zeros((N, 2, SIZE, SIZE), dtype=np.uint8)
labels = rng.integers(0, 2, N)
for i in range(N):
    clips[i] = record(1 if labels[i] else -1)

motion = clips[:, 1].astype(np.int16) - clips[:, 0]
x = torch.tensor(motion, dtype=torch.float32)[:, None] / 128
y = torch.tensor(labels)

torch.manual_seed(2)
net = nn.Sequential(
    nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Linear(16, 2),
)
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
train, held_out = torch.arange(300), torch.arange(300, N)
for epoch in range(20):
    for idx in train[torch.randperm(300)].split(25):
        loss = nn.functional.cross_entropy(net(x[idx]), y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        acc = (net(x[held_out]).argmax(1) == y[held_out]).float().mean().item()
    if epoch % 2 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():.4f} held-out accuracy {acc:.3f}")
