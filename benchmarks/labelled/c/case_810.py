import torch
from torch import nn

torch.manual_seed(3)
PERIOD = 3.5247


class TransitModel(nn.Module):
    """box-like dip with smooth edges in the light curve of a star"""

    def __init__(self, t0, depth, width):
        super().__init__()
        self.t0 = nn.Parameter(torch.tensor(t0, dtype=torch.float32))
        self.log_depth = nn.Parameter(torch.tensor(depth).log())
        self.log_width = nn.Parameter(torch.tensor(width).log())

    def forward(self, time):
        phase = (time - self.t0 + 0.5 * PERIOD) % PERIOD - 0.5 * PERIOD
        half = 0.5 * self.log_width.exp()
        dip = torch.sigmoid((phase + half) / 0.03) - torch.sigmoid((phase - half) / 0.03)
        return 1 - self.log_depth.exp() * dip


time = 2458354.1 + 27.0 * torch.rand(1500, dtype=torch.float64).sort().values
with torch.no_grad():
    truth = TransitModel(0.0, 0.012, 0.35)
    clean = truth(time - 2458355.6872)
flux = clean + 3e-4 * torch.randn(len(time))

model = TransitModel(2458355.5, 0.01, 0.3)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(600):
    chi2 = (((model(time) - flux) / 3e-4) ** 2).mean()
    optimizer.zero_grad()
    chi2.backward()
    optimizer.step()
    if step % 60 == 0:
        print(f"step {step} reduced chi2 {chi2.item():.3f} t0 {model.t0.item():.4f} depth {model.log_depth.exp().item():.5f}")
print("reduced chi2", chi2.item())
