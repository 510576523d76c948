import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = {
    "batch_size": 12,
    "steps": 90,
    "learning_rate": 1e-7,
    "weight_decay": 1e-2,
    "width": 8,
}


def double_conv(a, b):
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(4, b), nn.ReLU(inplace=True),
        nn.Conv2d(b, b, 3, padding=1), nn.GroupNorm(4, b), nn.ReLU(inplace=True),
    )


class MiniUNet(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.down1 = double_conv(1, w)
        self.down2 = double_conv(w, 2 * w)
        self.up = nn.ConvTranspose2d(2 * w, w, 2, stride=2)
        self.merge = double_conv(2 * w, w)
        self.mask = nn.Conv2d(w, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        return self.mask(self.merge(torch.cat([a, self.up(b)], 1)))


def cells(n, size=24):
    g = torch.arange(size).float()
    mask = torch.zeros(n, size, size)
    for _ in range(3):
        cy, cx = torch.rand(2, n, 1, 1) * size
        r = 2 + 3 * torch.rand(n, 1, 1)
        mask = torch.maximum(mask, (((g[:, None] - cy) ** 2 + (g[None, :] - cx) ** 2) < r ** 2).float())
    image = 0.6 * mask + 0.4 * torch.randn(n, size, size)
    return image.unsqueeze(1), mask.unsqueeze(1)


torch.manual_seed(25)
net = MiniUNet(CONFIG["width"])
optim = torch.optim.AdamW(net.parameters(), lr=CONFIG["learning_rate"], weight_decay=CONFIG["weight_decay"])
for step in range(CONFIG["steps"]):
    image, mask = cells(CONFIG["batch_size"])
    loss = F.binary_cross_entropy_with_logits(net(image), mask)
    optim.zero_grad()
    loss.backward()
    optim.step()
    if step % 15 == 0:
        print(f"step {step} bce {loss.item():.4f}")
print("final bce", loss.item())
