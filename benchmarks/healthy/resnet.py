"""residual network with one-cycle learning rate"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class BasicBlock(nn.Module):
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Identity()
        if stride != 1 or inplanes != planes:
            self.shortcut = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x), inplace=True)


def resnet(width=12, num_classes=5):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        BasicBlock(width, width),
        BasicBlock(width, 2 * width, 2),
        BasicBlock(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, num_classes),
    )


def make_textures(n):
    """Gratings of five orientations in random colours and phases, normalised as images usually are."""
    label = torch.randint(5, (n,))
    angle = label * torch.pi / 5 + 0.1 * torch.randn(n)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    phase = 6.28 * torch.rand(n, 1, 1)
    wave = torch.sin(1.2 * (angle.cos().view(-1, 1, 1) * x + angle.sin().view(-1, 1, 1) * y) + phase)
    colour = torch.rand(n, 3, 1, 1)
    image = (0.5 + 0.4 * wave.unsqueeze(1) * colour + 0.1 * torch.randn(n, 3, 16, 16)).clamp(0, 1)
    return (image - 0.5) / 0.25, label


torch.manual_seed(42)
images, labels = make_textures(1280)
model = resnet()
epochs, batch_size = 6, 32
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=epochs * len(images) // batch_size)
for epoch in range(epochs):
    for batch in torch.randperm(len(images)).split(batch_size):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        scheduler.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
