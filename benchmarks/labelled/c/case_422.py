import torch
from torch import nn

torch.manual_seed(12)


class Whiten(nn.Module):
    """ZCA whitening of a batch, differentiable"""

    def __init__(self, dim, eps=1e-3):
        super().__init__()
        self.eps = eps
        self.register_buffer("eye", torch.eye(dim))

    def forward(self, h):
        h = h - h.mean(0)
        cov = h.T @ h / len(h) + self.eps * self.eye
        factor = torch.linalg.cholesky(cov)
        return torch.linalg.solve_triangular(factor, h.T, upper=False).T


class WhitenedNet(nn.Module):
    def __init__(self, d_in=10, width=40, classes=3):
        super().__init__()
        self.fc1 = nn.Linear(d_in, width)
        self.white = Whiten(width)
        self.fc2 = nn.Linear(width, classes)

    def forward(self, x):
        return self.fc2(self.white(torch.relu(self.fc1(x))))


centres = 1.2 * torch.randn(3, 10)
label = torch.randint(0, 3, (1024,))
x = centres[label] + torch.randn(1024, 10)
model = WhitenedNet()
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
for epoch in range(12):
    total = 0.0
    for idx in torch.randperm(1024).split(16):
        loss = nn.functional.cross_entropy(model(x[idx]), label[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
    print(f"epoch {epoch} loss {total / 1024:.4f}")
