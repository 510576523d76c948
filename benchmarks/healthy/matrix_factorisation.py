"""matrix factorisation of ratings, sparse SGD"""

import torch
from torch import nn


class Factors(nn.Module):
    def __init__(self, users, items, rank):
        super().__init__()
        self.user = nn.Embedding(users, rank, sparse=True)
        self.item = nn.Embedding(items, rank, sparse=True)
        self.user_bias = nn.Embedding(users, 1, sparse=True)
        self.item_bias = nn.Embedding(items, 1, sparse=True)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.3)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, user, item):
        product = (self.user(user) * self.item(item)).sum(1)
        return product + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1)


torch.manual_seed(0)
users, items, rank, count = 200, 150, 5, 12000
user, item = torch.randint(users, (count,)), torch.randint(items, (count,))
taste, quality = torch.randn(users, rank), torch.randn(items, rank)
rating = (taste[user] * quality[item]).sum(1) / rank**0.5 + 0.3 * torch.randn(items)[item] + 0.1 * torch.randn(count)

model = Factors(users, items, rank)
optimizer = torch.optim.SGD(model.parameters(), lr=10.0)
for epoch in range(15):
    squared = 0.0
    for batch in torch.randperm(count).split(400):
        loss = nn.functional.mse_loss(model(user[batch], item[batch]), rating[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        squared += loss.item() * len(batch)
    print(f"epoch {epoch:2d} RMSE {(squared / count) ** 0.5:.4f}")
