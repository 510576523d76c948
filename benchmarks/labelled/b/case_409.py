import torch
from torch import nn

MEAN, STD = 0.36, 0.21


def fake_scans(n):
    label = torch.randint(0, 4, (n,))
    img = 60 + 25 * torch.randn(n, 1, 18, 18)
    for i, k in enumerate(label.tolist()):
        r, c = 9 * (k // 2), 9 * (k % 2)
        dr, dc = torch.randint(0, 4, (2,)).tolist()
        img[i, 0, r + dr:r + dr + 5, c + dc:c + dc + 5] += 90
    return img.clamp(0, 255).to(torch.uint8), label


def preprocess(batch):
    return (batch.float() / 255 - MEAN) / STD


def run():
    torch.manual_seed(40)
    scans, label = fake_scans(600)
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(24 * 9, 4),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 12)
    for epoch in range(12):
        for idx in torch.randperm(500).split(50):
            loss = nn.functional.cross_entropy(net(preprocess(scans[idx])), label[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
        sched.step()
        with torch.no_grad():
            acc = (net(preprocess(scans[500:])).argmax(1) == label[500:]).float().mean().item()
        print(f"epoch {epoch:2d} loss {loss.item():.4g} accuracy {acc:.2f}")


run()
