import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

rng = np.random.default_rng(1)
torch.manual_seed(1)


def draw_shape(kind):
    img = rng.integers(0, 60, (20, 20)).astype(np.uint8)
    r, c = rng.integers(2, 9, 2)
    level = rng.integers(150, 255)
    if kind == 0:
        img[r:r + 8, c:c + 8] = level
    elif kind == 1:
        img[r + 3:r + 5, c:c + 9] = level
        img[r:r + 9, c + 3:c + 5] = level
    else:
        for k in range(9):
            img[r + k, c + k:c + k + 2] = level
    return img


class Shapes(Dataset):
    def __init__(self, n, transform):
        self.kinds = rng.integers(0, 3, n)
        self.images = [draw_shape(k) for k in self.kinds]
        self.transform = transform

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        image = self.images[i].astype(np.float32) / 255
        return self.transform(image), int(self.kinds[i])


def to_tensor(image):
    return torch.from_numpy(image).unsqueeze(0) / 255.0


class ShapeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * 25, 48)
        self.fc2 = nn.Linear(48, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


data = Shapes(600, to_tensor)
loader = DataLoader(data, batch_size=30, shuffle=True)
net = ShapeNet()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
for epoch in range(10):
    total, hits = 0.0, 0
    for x, label in loader:
        logits = net(x)
        loss = nn.functional.cross_entropy(logits, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
        hits += (logits.argmax(1) == label).sum().item()
    print(f"epoch {epoch} loss {total / len(data):.4f} accuracy {hits / len(data):.3f}")
