import torch
from torch import nn

torch.manual_seed(4)


class FourierMixing(nn.Module):
    def forward(self, x):
        return torch.fft.fft2(x, dim=(1, 2)).real


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.mix = FourierMixing()
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = x + self.mix(x)
        return x + self.ff(x)


class FourierClassifier(nn.Module):
    def __init__(self, vocab=30, dim=32, length=32, depth=4):
        super().__init__()
        self.token = nn.Embedding(vocab, dim)
        self.position = nn.Parameter(0.02 * torch.randn(length, dim))
        self.blocks = nn.Sequential(*[Block(dim) for _ in range(depth)])
        self.head = nn.Linear(dim, 2)
        nn.init.normal_(self.token.weight, std=0.1)

    def forward(self, tokens):
        return self.head(self.blocks(self.token(tokens) + self.position).mean(1))


def documents(n):
    """does the document hold more of the words 0-9 than of the words 10-19"""
    tokens = torch.randint(0, 30, (n, 32))
    return tokens, ((tokens < 10).sum(1) > ((tokens >= 10) & (tokens < 20)).sum(1)).long()


tokens, label = documents(1280)
model = FourierClassifier()
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
for epoch in range(8):
    total = hits = 0
    for idx in torch.randperm(len(tokens)).split(32):
        logits = model(tokens[idx])
        loss = nn.functional.cross_entropy(logits, label[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
        hits += (logits.argmax(1) == label[idx]).sum().item()
    print(f"epoch {epoch} loss {total / len(tokens):.4g} accuracy {hits / len(tokens):.3f}")
