import torch
from torch import nn

torch.manual_seed(0)
N, D, CLASSES = 1200, 16, 4
centers = 1.5 * torch.randn(CLASSES * 3, D)
which = torch.randint(0, CLASSES * 3, (N,))
X = centers[which] + 0.7 * torch.randn(N, D)
y = which % CLASSES


class DeepTabular(nn.Module):
    def __init__(self, d_in, width, depth, n_out):
        super().__init__()
        self.stem = nn.Linear(d_in, width)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.head = nn.Linear(width, n_out)

    def forward(self, x):
        h = torch.relu(self.stem(x))
        for block in self.blocks:
            h = torch.relu(block(h))
        return self.head(h)


net = DeepTabular(D, 48, 16, CLASSES)
opt = torch.optim.SGD(net.parameters(), lr=0.005, momentum=0.9, weight_decay=1e-4)
losses = []
for epoch in range(12):
    for idx in torch.randperm(N).split(60):
        loss = nn.functional.cross_entropy(net(X[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    with torch.no_grad():
        acc = (net(X).argmax(1) == y).float().mean().item()
    print(f"epoch {epoch:2d} loss {losses[-1]:.4f} acc {acc:.3f}")
