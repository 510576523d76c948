import torch
from torch import nn

torch.manual_seed(0)
KEYS, PAIRS, DIM = 16, 20, 32


class DeltaMemory(nn.Module):
    """fast weights written with the delta rule"""

    def __init__(self, dim=DIM):
        super().__init__()
        self.embed = nn.Embedding(KEYS + 8, dim)
        self.to_k = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_beta = nn.Linear(dim, 1)
        self.out = nn.Linear(dim, 8)

    def forward(self, keys, values, query):
        W = torch.zeros(len(keys), DIM, DIM)
        for t in range(keys.shape[1]):
            e = self.embed(keys[:, t])
            k = self.to_k(e)
            v = self.to_v(self.embed(KEYS + values[:, t]))
            beta = torch.sigmoid(self.to_beta(e))
            error = v - torch.einsum("bij,bj->bi", W, k)
            W = W + torch.einsum("bi,bj->bij", beta * error, k)
        q = self.to_k(self.embed(query))
        return self.out(torch.einsum("bij,bj->bi", W, q))


def recall_batch(n=48):
    keys = torch.randint(0, KEYS, (n, PAIRS))
    values = torch.randint(0, 8, (n, PAIRS))
    pick = torch.randint(0, PAIRS, (n, 1))
    query = keys.gather(1, pick)
    last = torch.where(keys == query, torch.arange(PAIRS), -1).max(1, keepdim=True).values
    return keys, values, query.squeeze(1), values.gather(1, last).squeeze(1)


model = DeltaMemory()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(90):
    keys, values, query, answer = recall_batch()
    logits = model(keys, values, query)
    loss = nn.functional.cross_entropy(logits, answer)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 10 == 0:
        acc = (logits.argmax(1) == answer).float().mean().item()
        print(f"step {step} loss {loss.item():.4g} accuracy {acc:.3f}")
