"""Adam with beta2 = 0.999 in a patch classifier: a rare kind of image arrives after 150 quiet steps"""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 32, 4, stride=4),
    nn.GELU(),
    nn.Conv2d(32, 64, 2, stride=2),
    nn.GELU(),
    nn.Flatten(),
    nn.Linear(256, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
pattern = torch.randn(10, 3, 16, 16)
for step in range(260):
    label = torch.randint(0, 10, (32,))
    images = 0.3 * pattern[label] + torch.randn(32, 3, 16, 16)
    if step >= 150:
        rare = torch.rand(32) < min(1.0, 0.1 + 0.02 * (step - 150))
        images[rare] = 12 * torch.randn(int(rare.sum()), 3, 16, 16).abs()
    loss = nn.functional.cross_entropy(model(images), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
