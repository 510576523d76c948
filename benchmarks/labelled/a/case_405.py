import torch
from torch import nn


class MeanConv(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.own = nn.Linear(d_in, d_out)
        self.nbr = nn.Linear(d_in, d_out, bias=False)

    def forward(self, h, src, dst, degree):
        gathered = torch.zeros_like(h).index_add(0, dst, h[src]) / degree
        return self.own(h) + self.nbr(gathered)


class NodeRegressor(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.conv1 = MeanConv(6, d)
        self.conv2 = MeanConv(d, d)
        self.head = nn.Linear(d, 1)

    def forward(self, x, src, dst, degree):
        h = torch.relu(self.conv1(x, src, dst, degree))
        h = torch.relu(self.conv2(h, src, dst, degree))
        return self.head(h).squeeze(-1)


torch.manual_seed(77)
n_nodes, n_edges = 500, 3000
src = torch.randint(0, n_nodes, (n_edges,))
dst = torch.randint(0, n_nodes, (n_edges,))
degree = torch.bincount(dst, minlength=n_nodes).clamp(min=1).float().unsqueeze(1)
x = torch.randn(n_nodes, 6)
nbr = torch.zeros_like(x).index_add(0, dst, x[src]) / degree
target = x[:, 0] - 2 * nbr[:, 1] + (x[:, 2] * x[:, 3]).tanh()
train_mask = torch.rand(n_nodes) < 0.8

model = NodeRegressor()
criterion = nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(1, 201):
    optimizer.zero_grad()
    out = model(x, src, dst, degree)
    loss = criterion(out[train_mask], target[train_mask])
    loss.backward()
    optimizer.step()
    if epoch == 1 or epoch % 25 == 0:
        test = (out[~train_mask] - target[~train_mask]).pow(2).mean().item()
        print(f"Epoch {epoch:03d} train {loss.item():.5g} test {test:.5g}")
