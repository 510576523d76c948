import torch
import torch.nn as nn


class FixedPointLayer(nn.Module):
    """looks for the fixed point of z -> relu(W z + U x + b) with a fixed number of iterations"""

    def __init__(self, d_in, d_state, n_iter):
        super().__init__()
        self.n_iter = n_iter
        self.U = nn.Linear(d_in, d_state)
        self.W = nn.Linear(d_state, d_state, bias=False)

    def forward(self, x):
        drive = self.U(x)
        z = torch.zeros_like(drive)
        for _ in range(self.n_iter):
            z = 0.5 * (z + torch.relu(self.W(z) + drive))
        return z


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = FixedPointLayer(10, 48, n_iter=40)
        self.out = nn.Linear(48, 3)

    def forward(self, x):
        return self.out(self.layer(x))


torch.manual_seed(14)
x = torch.randn(900, 10)
y = (x[:, :5].norm(dim=1) - x[:, 5:].norm(dim=1)).div(0.6).round().clamp(-1, 1).long() + 1
model = Classifier()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(20):
    mean = 0.0
    for batch in torch.randperm(900).split(90):
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        model.zero_grad()
        loss.backward()
        opt.step()
        mean += loss.item() / 10
    if epoch % 3 == 0 or epoch == 19:
        print(f"epoch {epoch}: loss {mean:.4g}")
