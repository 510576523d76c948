import torch
from torch import nn

torch.manual_seed(0)
CLASSES, SIZE = 4, 16


def textures(n):
    label = torch.randint(0, CLASSES, (n,))
    angle = label * 3.1416 / CLASSES + 0.15 * torch.randn(n)
    phase = 6.2832 * torch.rand(n)
    r = torch.arange(SIZE, dtype=torch.float32)
    y, x = torch.meshgrid(r, r, indexing="ij")
    wave = torch.sin(0.9 * (x * angle.cos().view(-1, 1, 1) + y * angle.sin().view(-1, 1, 1)) + phase.view(-1, 1, 1))
    return (wave + 0.4 * torch.randn(n, SIZE, SIZE)).unsqueeze(1), label


def stage(c_in, c_out, repeats, pool):
    layers = []
    for i in range(repeats):
        layers += [nn.Conv2d(c_in if i == 0 else c_out, c_out, 3, padding=1), nn.ReLU()]
    if pool:
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class TextureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(stage(1, 8, 4, True), stage(8, 16, 5, True), stage(16, 16, 5, False))
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


model = TextureNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
criterion = nn.CrossEntropyLoss()
for step in range(100):
    x, label = textures(32)
    logits = model(x)
    loss = criterion(logits, label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 10 == 0 or step == 99:
        acc = (logits.argmax(1) == label).float().mean().item()
        print(f"step {step} loss {loss.item():.4f} acc {acc:.3f}")
