"""CNN with BatchNorm"""

import torch
from torch import nn
from torch.nn import functional as F


def draw_shapes(count, size=16):
    """Bars, crosses, discs and rings at random places, in noise."""
    kinds = torch.randint(4, (count,))
    grid = torch.arange(size).float()
    centre = torch.randint(5, size - 5, (count, 2)).float()
    dy = grid.view(1, -1, 1) - centre[:, 0].view(-1, 1, 1)
    dx = grid.view(1, 1, -1) - centre[:, 1].view(-1, 1, 1)
    distance = (dx**2 + dy**2).sqrt()
    bar = (dy.abs() < 1.5) & (dx.abs() < 5)
    cross = bar | ((dx.abs() < 1.5) & (dy.abs() < 5))
    images = torch.stack([bar, cross, distance < 4, (distance < 4.5) & (distance > 2.5)])
    images = images.float()[kinds, torch.arange(count)]
    return images.unsqueeze(1) + 0.3 * torch.randn(count, 1, size, size), kinds


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.fc = nn.Linear(32, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        return self.fc(x.mean(dim=(2, 3)))


def main():
    torch.manual_seed(0)
    images, labels = draw_shapes(1600)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(6):
        model.train()
        for batch in torch.randperm(len(images)).split(32):
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        test_images, test_labels = draw_shapes(400)
        with torch.no_grad():
            accuracy = (model(test_images).argmax(1) == test_labels).float().mean()
        print(f"epoch {epoch}: loss {loss.item():.3f}, accuracy {accuracy:.1%}")


if __name__ == "__main__":
    main()
