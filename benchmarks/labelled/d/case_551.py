import torch
from torch import nn

torch.manual_seed(31)
N_USERS, N_ITEMS, N_TAGS, DIM = 300, 200, 60, 16


def cosine(a, b):
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))


class TwoTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.history = nn.Linear(N_ITEMS, DIM, bias=False)
        self.tags = nn.Linear(N_TAGS, DIM, bias=False)
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, hist, tags):
        return self.scale * cosine(self.history(hist), self.tags(tags)) + self.bias


item_topic = torch.randint(0, 6, (N_ITEMS,))
user_topic = torch.randint(0, 6, (N_USERS,))
tag_prob = torch.full((6, N_TAGS), 0.03)
for t in range(6):
    tag_prob[t, 10 * t:10 * t + 10] = 0.5
item_tags = torch.bernoulli(tag_prob[item_topic])
same = (user_topic[:, None] == item_topic[None, :]).float()
clicks = torch.bernoulli(0.02 + 0.38 * same)
histories = torch.bernoulli(0.5 * clicks)
new_users = torch.randperm(N_USERS)[:2]
histories[new_users] = 0

model = TwoTower()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.BCEWithLogitsLoss()
for step in range(250):
    u = torch.randint(0, N_USERS, (64,))
    i = torch.randint(0, N_ITEMS, (64,))
    target = same[u, i]
    hist = histories[u]
    loss = criterion(model(hist, item_tags[i]), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(f"step {step} bce {loss.item():.4f}")
print("last", loss.item())
