import torch
from torch import nn
from torch.nn.functional import relu

torch.manual_seed(9)
M, N, K = 30, 60, 4
A = torch.randn(M, N) / M ** 0.5


def sparse_batch(n):
    support = torch.rand(n, N).argsort(1)[:, :K]
    code = torch.zeros(n, N).scatter_(1, support, torch.randn(n, K))
    return code @ A.T, code


class LISTA(nn.Module):
    def __init__(self, depth=6, threshold=0.05):
        super().__init__()
        step = 1 / torch.linalg.matrix_norm(A, 2) ** 2
        self.We = nn.Parameter(step * A.T.clone())
        self.S = nn.Parameter(torch.eye(N) - step * A.T @ A)
        self.theta = nn.Parameter(torch.full((depth, N), threshold))

    @staticmethod
    def shrink(v, theta):
        return relu(v - theta) - relu(-v - theta)

    def forward(self, y):
        b = y @ self.We.T
        z = self.shrink(b, self.theta[0])
        for theta in self.theta[1:]:
            z = self.shrink(b + z @ self.S.T, theta)
        return z


net = LISTA()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
losses = []
for it in range(600):
    y, code = sparse_batch(128)
    loss = ((net(y) - code) ** 2).sum(1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if it % 60 == 0:
        print(f"{it:4d} squared error of the code {loss.item():.4f}")
y, code = sparse_batch(2000)
with torch.no_grad():
    nmse = ((net(y) - code) ** 2).sum() / (code ** 2).sum()
print("nmse", nmse.item())
