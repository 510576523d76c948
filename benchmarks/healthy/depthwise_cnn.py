"""depthwise separable CNN with GroupNorm and SiLU"""

import torch
from torch import nn


class InvertedBottleneck(nn.Module):
    def __init__(self, channels, expansion=3, kernel=5):
        super().__init__()
        hidden = channels * expansion
        self.layers = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.GroupNorm(4, hidden),
            nn.SiLU(),
            nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden),
            nn.GroupNorm(4, hidden),
            nn.SiLU(),
            nn.Conv2d(hidden, channels, 1),
        )
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.1))

    def forward(self, x):
        return x + self.scale * self.layers(x)


def blobs(count, generator):
    """How many bright spots (0 to 3) are in the picture?"""
    number = torch.randint(0, 4, (count,), generator=generator)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
    centre = torch.rand(count, 3, 2, 1, 1, generator=generator) * 1.6 - 0.8
    spot = torch.exp(-((x - centre[:, :, 0]) ** 2 + (y - centre[:, :, 1]) ** 2) / 0.03)
    shown = torch.arange(3) < number[:, None]
    picture = (spot * shown[:, :, None, None]).sum(1, keepdim=True)
    return picture + 0.1 * torch.randn(picture.shape, generator=generator), number


def main(steps=250, batch_size=32):
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 2, stride=2),
        InvertedBottleneck(16),
        InvertedBottleneck(16),
        InvertedBottleneck(16),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(16),
        nn.Linear(16, 4),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    criterion = nn.CrossEntropyLoss()
    for step in range(steps):
        picture, number = blobs(batch_size, generator)
        loss = criterion(model(picture), number)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            print(step, round(loss.item(), 3))


if __name__ == "__main__":
    main()
