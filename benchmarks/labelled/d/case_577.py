import re
import torch
from torch import nn

torch.manual_seed(89)
ACCUM = 2


class ShapeNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
        )
        self.classifier = nn.Sequential(nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, x):
        return self.classifier(self.features(x))


def render(kind, size=12):
    img = 0.15 * torch.randn(size, size)
    r, c = torch.randint(2, size - 6, (2,)).tolist()
    if kind == 0:
        img[r:r + 5, c] += 1
    elif kind == 1:
        img[r, c:c + 5] += 1
    elif kind == 2:
        img[r:r + 4, c:c + 4] += 1
    else:
        for k in range(5):
            img[r + k, c + k] += 1
    return img


annotations = torch.randint(0, 4, (1200,)).tolist()
folder = {f"scan_{n}.png": render(kind) for n, kind in enumerate(annotations)}

files = sorted(folder)
images = torch.stack([folder[f] for f in files])[:, None]
labels = torch.tensor(annotations)

model = ShapeNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(7):
    total, hit = 0.0, 0
    for n, idx in enumerate(torch.randperm(1200).split(20)):
        out = model(images[idx])
        loss = loss_fn(out, labels[idx])
        (loss / ACCUM).backward()
        if (n + 1) % ACCUM == 0:
            optimizer.step()
            optimizer.zero_grad()
        total += loss.item() / 60
        hit += (out.argmax(1) == labels[idx]).sum().item()
    print(f"epoch {epoch} loss {total:.4f} acc {hit / 1200:.3f}")
