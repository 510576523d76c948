import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(97)
torch.manual_seed(97)


class SwishFn(torch.autograd.Function):
    """Swish that recomputes the sigmoid in the backward pass"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * (s + x * s * (1 - s))


class Swish(nn.Module):
    def forward(self, x):
        return SwishFn.apply(x)


def camera_frames(n, size=8):
    level = rng.uniform(20, 200, size=(n, 1, 1))
    slope = rng.uniform(-4, 4, size=(n, 1, 1)) * np.arange(size)[None, :, None]
    frames = np.clip(level + slope + rng.normal(0, 8, (n, size, size)), 0, 255).astype(np.uint8)
    return frames, ((level[:, 0, 0] - 110) / 52).astype(np.float32)


def adjust_gain(frames, gain):
    return np.clip(frames.astype(np.float32) * gain, 0, 1020)


frames, exposure = camera_frames(1500)
brightened = adjust_gain(frames, np.uint8(4))
x = torch.from_numpy(brightened).float().flatten(1)
x = (x - x.mean()) / x.std()
y = torch.from_numpy(exposure)

net = nn.Sequential(nn.Linear(64, 48), Swish(), nn.Linear(48, 24), Swish(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(6):
    total = 0.0
    for idx in torch.randperm(1500).split(50):
        loss = nn.functional.mse_loss(net(x[idx]).squeeze(1), y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 30
    print(f"epoch {epoch} mse {total:.4f}")
