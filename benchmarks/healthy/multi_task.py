"""multi-task learning with three heads and learned weights of the losses"""

import torch
from torch import nn
from torch.nn import functional as F


class MultiTask(nn.Module):
    def __init__(self, inputs=12, width=64):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, width), nn.ELU(), nn.Linear(width, width), nn.ELU())
        self.heads = nn.ModuleDict(
            {"price": nn.Linear(width, 1), "category": nn.Linear(width, 5), "sold": nn.Linear(width, 1)}
        )
        self.log_variance = nn.ParameterDict({name: torch.zeros(()) for name in self.heads})

    def forward(self, x):
        hidden = self.trunk(x)
        return {name: head(hidden) for name, head in self.heads.items()}

    def weigh(self, losses):
        """Kendall, Gal and Cipolla: each loss by the uncertainty of its task."""
        return sum(
            torch.exp(-self.log_variance[name]) * loss + self.log_variance[name] for name, loss in losses.items()
        )


def make_houses(count, projection):
    x = torch.randn(count, 12)
    hidden = torch.tanh(x @ projection)
    price = hidden[:, :4].sum(1) + 0.3 * torch.randn(count)
    category = hidden[:, 4:9].argmax(1)
    sold = (hidden[:, 9] + hidden[:, 0] + 0.3 * torch.randn(count) > 0).float()
    return x, {"price": price, "category": category, "sold": sold}


def main():
    torch.manual_seed(0)
    projection = torch.randn(12, 10) / 3
    model = MultiTask()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(500):
        x, wanted = make_houses(96, projection)
        out = model(x)
        losses = {
            "price": F.mse_loss(out["price"].squeeze(1), wanted["price"]),
            "category": F.cross_entropy(out["category"], wanted["category"]),
            "sold": F.binary_cross_entropy_with_logits(out["sold"].squeeze(1), wanted["sold"]),
        }
        loss = model.weigh(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: " + ", ".join(f"{name} {each.item():.3f}" for name, each in losses.items()))


if __name__ == "__main__":
    main()
