import torch
from torch import nn

torch.manual_seed(33)
N, T = 800, 8
kind = torch.randint(0, 2, (N,))
gap = torch.where(kind[:, None] == 1, 600.0, 3600.0) * (0.5 + torch.rand(N, T))
start = 20 * 86400 * torch.rand(N, 1)
stamps = 1_700_000_000 + (start + gap.cumsum(1)).double()
amount = torch.randn(N, T) + 0.5 * kind[:, None]

when = stamps.float()
visits = torch.stack([when, amount], dim=2)


class VisitGRU(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(2, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 2)

    def forward(self, seq):
        out, _ = self.gru(seq)
        return self.fc(out[:, -1])


net = VisitGRU()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(15):
    order = torch.randperm(600)
    for idx in order.split(40):
        loss = nn.functional.cross_entropy(net(visits[idx]), kind[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        acc = (net(visits[600:]).argmax(1) == kind[600:]).float().mean().item()
    if epoch % 2 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():.4f} validation accuracy {acc:.3f}")
