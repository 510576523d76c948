import torch
from torch import nn

torch.manual_seed(83)


class DiceLoss(nn.Module):
    def __init__(self, smooth=1e-3):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, mask):
        p = torch.sigmoid(logits).flatten(1)
        m = mask.to(p.dtype).flatten(1)
        p = p * (p > 0.05)
        inter = (p * m).sum(1)
        score = (2 * inter + self.smooth) / (p.sum(1) + m.sum(1) + self.smooth)
        return (1 - score).float().mean()


class TinyUNet(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv2d(1, c, 3, padding=1), nn.ReLU())
        self.down2 = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(c, 2 * c, 3, padding=1), nn.ReLU())
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2 * c, c, 3, padding=1), nn.ReLU())
        self.last = nn.Conv2d(2 * c, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.up(self.down2(a))
        return self.last(torch.cat([a, b], 1)).squeeze(1)


def lesions(n, size=24):
    img = 0.3 * torch.randn(n, 1, size, size)
    mask = torch.zeros(n, size, size)
    for i in range(n):
        if torch.rand(()) < 0.1:
            continue
        r, c = torch.randint(2, size - 8, (2,)).tolist()
        h, w = torch.randint(3, 7, (2,)).tolist()
        mask[i, r:r + h, c:c + w] = 1
        img[i, 0, r:r + h, c:c + w] += 2.0
    return img, mask


images, masks = lesions(240)
net = TinyUNet()
criterion = DiceLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(10):
    total = 0.0
    for idx in torch.randperm(240).split(12):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = net(images[idx])
        loss = criterion(logits.half(), masks[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 20
    print(f"epoch {epoch} dice loss {total:.4f}")
