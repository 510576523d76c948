"""Tell two machine states apart by the spectrum of a quiet accelerometer."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(10)
n, samples = 800, 256
state = torch.randint(0, 2, (n,))
t = torch.arange(samples) / 1000.0
tone = torch.where(state == 1, 140.0, 110.0)[:, None]
phase = 6.28 * torch.rand(n, 1)
trace = 4e-5 * torch.sin(6.2832 * tone * t + phase) + 3e-5 * torch.randn(n, samples)


def log_spectrum(x, eps=1e-16):
    spectrum = torch.fft.rfft(x * torch.hann_window(samples), norm="forward")
    power = spectrum.real ** 2 + spectrum.imag ** 2
    magnitude = torch.sqrt(torch.clamp(power, min=eps))
    return torch.log(magnitude)


features = log_spectrum(trace)
features = features - features.mean()
train = torch.arange(n) < 600
model = nn.Sequential(nn.Linear(samples // 2 + 1, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3)
for epoch in range(150):
    loss = F.cross_entropy(model(features[train]), state[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 30 == 0 or epoch == 149:
        with torch.no_grad():
            accuracy = (model(features[~train]).argmax(1) == state[~train]).float().mean().item()
        print(f"epoch {epoch:3d} loss {loss.item():.4f} test accuracy {accuracy:.3f}")
print("spread of the features:", features.std().item())
