import argparse
import torch
from torch import nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=32)
parser.add_argument("--groups", type=int, default=32)
parser.add_argument("--lr", type=float, default=2e-3)
parser.add_argument("--epochs", type=int, default=8)
args = parser.parse_args()
torch.manual_seed(61)


class ContextNet(nn.Module):
    """Convolutional trunk, image-level pooling, one more 1x1 convolution, classifier"""

    def __init__(self, width, groups, classes=5):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width // 2, width, 3, padding=1), nn.ReLU(),
        )
        self.context = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width, 1, bias=False),
            nn.GroupNorm(groups, width),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(width, classes)

    def forward(self, x):
        return self.classifier(self.context(self.trunk(x)).flatten(1))


def textures(n, size=12):
    y = torch.randint(0, 5, (n,))
    grid = torch.arange(size).float()
    wave = torch.sin((0.5 + 0.5 * y.float())[:, None] * grid + 6.28 * torch.rand(n, 1))
    img = wave[:, None, None, :] * torch.tensor([1.0, 0.6, 0.3])[None, :, None, None]
    return img + 0.4 * torch.randn(n, 3, size, size), y


x_train, y_train = textures(1600)
model = ContextNet(args.width, args.groups)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
for epoch in range(args.epochs):
    total, hit = 0.0, 0
    for idx in torch.randperm(len(x_train)).split(50):
        logits = model(x_train[idx])
        loss = F.cross_entropy(logits, y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 32
        hit += (logits.argmax(1) == y_train[idx]).sum().item()
    print(f"epoch {epoch} loss {total:.4f} acc {hit / len(x_train):.3f}")
