import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(11)
USERS, ITEMS, DIM = 250, 160, 6

taste = torch.randn(USERS, DIM)
genre = torch.randn(ITEMS, DIM)
pairs = torch.cartesian_prod(torch.arange(USERS), torch.arange(ITEMS))
pairs = pairs[torch.randperm(len(pairs))[:12000]]
ratings = (taste[pairs[:, 0]] * genre[pairs[:, 1]]).sum(1) / DIM ** 0.5


class Factorizer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.user = nn.Embedding(USERS, dim)
        self.item = nn.Embedding(ITEMS, dim)

    def forward(self, u, i):
        return (self.user(u) * self.item(i)).sum(-1) / DIM ** 0.5


model = Factorizer(DIM)
with torch.no_grad():
    model.user.weight.copy_(taste + 0.4 * torch.randn(USERS, DIM))
    model.item.weight.copy_(genre + 0.4 * torch.randn(ITEMS, DIM))
model = model.to(torch.float32)
opt = torch.optim.Adam(model.parameters(), lr=5e-4)
history = []
for epoch in range(28):
    epoch_loss = 0.0
    batches = torch.randperm(len(pairs)).split(500)
    for idx in batches:
        pred = model(pairs[idx, 0], pairs[idx, 1])
        loss = F.mse_loss(pred.float(), ratings[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        epoch_loss += loss.item()
    history.append(epoch_loss / len(batches))
    if epoch % 4 == 0:
        print(f"epoch {epoch:2d}  train mse {history[-1]:.4f}")
print("last epoch", history[-1])
