import torch
from torch import nn

torch.manual_seed(81)


def texture(n, scale):
    coarse = torch.rand(n, 3, scale, scale)
    return nn.functional.interpolate(coarse, size=(72, 72), mode="bilinear")


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU())
        self.block2 = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU())
        for conv in (self.block1[0], self.block2[1]):
            nn.init.kaiming_normal_(conv.weight)

    def forward(self, x):
        a = self.block1(x)
        return a, self.block2(a)


def gram(f):
    b, c, h, w = f.shape
    f = f.reshape(b, c, h * w)
    f = f / (c * h * w) ** 0.5
    g = f @ f.transpose(1, 2)
    return g


@torch.no_grad()
def style_distance(net, first, second):
    total = 0.0
    for a, b in zip(net(first), net(second)):
        total = total + (gram(a) - gram(b)).float().square().sum((1, 2))
    return total


net = Features().half().eval()
paintings = [(24 * texture(3, s)).half() for s in (4, 4, 12, 24)]
for i in range(4):
    row = [style_distance(net, paintings[i], paintings[j]).mean().item() for j in range(4)]
    print("style", i, [f"{v:.4g}" for v in row])
