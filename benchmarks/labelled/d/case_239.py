import torch
from torch import nn

torch.manual_seed(67)
TILES, FEAT, CLASSES = 30, 12, 4


class AttentionMIL(nn.Module):
    """Bag classifier: embeds tiles, pools them with learned attention, predicts one label"""

    def __init__(self, hidden=24):
        super().__init__()
        self.embed = nn.Linear(FEAT, hidden)
        self.score = nn.Sequential(nn.Linear(FEAT, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.classify = nn.Linear(hidden, CLASSES)

    def forward(self, bag):
        e = self.embed(bag)
        a = torch.softmax(self.score(bag), dim=1)
        slide = (a * e).sum(dim=1)
        return self.classify(slide)


stain = torch.randn(CLASSES, FEAT - 2)


def slides(n):
    tile_type = torch.randint(0, CLASSES, (n, TILES))
    quality = -1.0 + 0.3 * torch.randn(n, TILES, 2)
    key = torch.randint(0, TILES, (n,))
    rows = torch.arange(n)
    quality[rows, key] += 3.0
    bags = torch.cat([stain[tile_type] + 0.2 * torch.randn(n, TILES, FEAT - 2), quality], -1)
    return bags, tile_type[rows, key]


bags, labels = slides(1600)
model = AttentionMIL()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(8):
    total, hit = 0.0, 0
    for idx in torch.randperm(len(bags)).split(50):
        logits = model(bags[idx])
        loss = nn.functional.cross_entropy(logits, labels[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 32
        hit += (logits.argmax(1) == labels[idx]).sum().item()
    print(f"epoch {epoch:2d} loss {total:.4f} acc {hit / len(bags):.3f}")
