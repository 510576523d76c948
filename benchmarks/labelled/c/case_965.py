import torch
from torch import nn

torch.manual_seed(0)
cfg = {
    "base_lr": 0.1,
    "batch_size": 64,
    "epochs": 10,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "classes": 4,
}


def textures(n, size=16):
    label = torch.randint(0, cfg["classes"], (n,))
    t = torch.arange(size).float()
    angle = label.float() * 3.14159 / cfg["classes"]
    wave = angle.cos()[:, None, None] * t[None, :, None] + angle.sin()[:, None, None] * t[None, None, :]
    image = torch.sin(1.3 * wave + 6.28 * torch.rand(n, 1, 1)) + 0.7 * torch.randn(n, size, size)
    return image.unsqueeze(1), label


def build():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(24, cfg["classes"]),
    )


images, labels = textures(1024)
net = build()
lr = cfg["base_lr"] * cfg["batch_size"] / 256
opt = torch.optim.SGD(net.parameters(), lr=lr, momentum=cfg["momentum"], weight_decay=cfg["weight_decay"])
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, cfg["epochs"])
for epoch in range(cfg["epochs"]):
    hits = total = 0.0
    for idx in torch.randperm(len(images)).split(cfg["batch_size"]):
        out = net(images[idx])
        loss = nn.functional.cross_entropy(out, labels[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
        hits += (out.argmax(1) == labels[idx]).sum().item()
    schedule.step()
    print(f"epoch {epoch} loss {total / len(images):.4f} accuracy {hits / len(images):.3f}")
