import torch
from torch import nn

torch.manual_seed(6)
N, BLOCKS = 120, 3
community = torch.arange(N) % BLOCKS
same = community[:, None] == community[None, :]
link = torch.rand(N, N) < torch.where(same, 0.10, 0.012)
adj = torch.triu(link, diagonal=1).float()
adj = adj + adj.T
feats = torch.randn(N, 12) + 0.8 * nn.functional.one_hot(community, 12).float()


def normalise(a):
    degree = a.sum(1)
    inv_sqrt = degree.clamp(min=1).pow(-0.5)
    return inv_sqrt[:, None] * a * inv_sqrt[None, :]


class GCN(nn.Module):
    def __init__(self, a_hat, d_in, d_hidden, classes):
        super().__init__()
        self.register_buffer("a_hat", a_hat)
        self.w1 = nn.Linear(d_in, d_hidden)
        self.w2 = nn.Linear(d_hidden, classes)

    def forward(self, x):
        h = torch.relu(self.a_hat @ self.w1(x))
        return self.a_hat @ self.w2(h)


train_mask = torch.rand(N) < 0.4
model = GCN(normalise(adj), 12, 32, BLOCKS)
opt = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(150):
    logits = model(feats)
    loss = nn.functional.cross_entropy(logits[train_mask], community[train_mask])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 15 == 0:
        acc = (logits.argmax(1) == community)[~train_mask].float().mean().item()
        print(f"epoch {epoch:3d} loss {loss.item():.4f} test acc {acc:.3f}")
