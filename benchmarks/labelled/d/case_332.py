import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(37)

EPOCHS = 5
WARMUP_EPOCHS = 2
BATCH = 32


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.skip = nn.Conv2d(cin, cout, 1, stride, bias=False) if stride > 1 or cin != cout else nn.Identity()

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.skip(x))


class MiniResNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, padding=1)
        self.body = nn.Sequential(Block(12, 12, 1), Block(12, 24, 2), Block(24, 24, 1))
        self.fc = nn.Linear(24, classes)

    def forward(self, x):
        return self.fc(self.body(self.stem(x)).mean((2, 3)))


def stripes(n, size=14):
    y = torch.randint(0, 4, (n,))
    angle = y.float() * 0.785
    r = torch.arange(size).float()
    gy, gx = torch.meshgrid(r, r, indexing="ij")
    u = gx[None] * angle.cos()[:, None, None] + gy[None] * angle.sin()[:, None, None]
    img = torch.sin(1.4 * u + 6.28 * torch.rand(n, 1, 1)) + 0.7 * torch.randn(n, size, size)
    return img[:, None], y


x, y = stripes(1280)
net = MiniResNet()
decay, no_decay = [], []
for name, p in net.named_parameters():
    (decay if p.ndim > 1 else no_decay).append(p)
optimizer = torch.optim.SGD(
    [{"params": decay, "weight_decay": 5e-4}, {"params": no_decay, "weight_decay": 0.0}], lr=0.002, momentum=0.9)
iters = len(x) // BATCH
warmup = WARMUP_EPOCHS * iters
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, s / warmup))

for epoch in range(EPOCHS):
    total = hits = 0.0
    for idx in torch.randperm(len(x)).split(BATCH):
        out = net(x[idx])
        loss = F.cross_entropy(out, y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() / iters
        hits += (out.argmax(1) == y[idx]).sum().item()
    print(f"epoch {epoch} loss {total:.4f} acc {hits / len(x):.3f} lr {scheduler.get_last_lr()[0]:.2e}")
