"""Depth completion in half precision: masked L1 loss over the valid pixels."""
import torch
from torch import nn

torch.manual_seed(1)
images, size = 18, 160
row, column = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
tilt = torch.rand(images, 2, 1, 1)
depth = 1 + tilt[:, 0] * row + tilt[:, 1] * column
sparse = depth * (torch.rand(images, size, size) < 0.3) + 0.01 * torch.randn(images, size, size)
valid = torch.rand(images, size, size) < 0.92
inputs = torch.stack([sparse, row.expand_as(sparse), column.expand_as(sparse)], 1).half()
target, mask = depth.half(), valid.half()

net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)


def masked_l1(prediction, target, mask):
    error = (prediction - target).abs() * mask
    count = mask.sum(dtype=torch.float32)
    return error.float().sum() / count


for epoch in range(6):
    for batch in torch.arange(images).split(6):
        prediction = net(inputs[batch].float()).squeeze(1).half()
        loss = masked_l1(prediction, target[batch], mask[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        out = net(inputs.float()).squeeze(1)
        error = (out - depth)[valid].abs().mean().item()
    print(f"epoch {epoch} loss {loss.item():.5f} mean absolute error {error:.4f}")
