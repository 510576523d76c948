import torch
from torch import nn

torch.manual_seed(3)
VERSES = (
    "the wind that shakes the barley bends the grass along the river and the river bends the road. "
    "a road of stones and water leads the miller to the mill, the mill that grinds the barley. "
    "who shakes the barley now the miller sleeps beside the river and the wind is still? "
) * 12
alphabet = sorted(set(VERSES))
lookup = {c: i for i, c in enumerate(alphabet)}
corpus = torch.tensor([lookup[c] for c in VERSES])
HIDDEN, BATCH, SPAN = 128, 16, 50


def sample():
    start = torch.randint(0, len(corpus) - SPAN - 1, (BATCH,)).unsqueeze(1)
    window = corpus[start + torch.arange(SPAN + 1)]
    return window[:, :-1], window[:, 1:]


class Recurrent(nn.Module):
    def __init__(self, n_sym, n_hid):
        super().__init__()
        self.n_hid = n_hid
        self.emb = nn.Embedding(n_sym, n_hid)
        self.w_hh = nn.Parameter(torch.empty(n_hid, n_hid))
        self.bias = nn.Parameter(torch.zeros(n_hid))
        self.out = nn.Linear(n_hid, n_sym)
        nn.init.normal_(self.emb.weight, std=0.1)
        nn.init.orthogonal_(self.w_hh)

    def forward(self, x):
        h = torch.zeros(x.size(0), self.n_hid)
        states = []
        for t in range(x.size(1)):
            h = torch.relu(self.emb(x[:, t]) + h @ self.w_hh + self.bias)
            states.append(h)
        return self.out(torch.stack(states, 1))


model = Recurrent(len(alphabet), HIDDEN)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
losses = []
for step in range(250):
    x, y = sample()
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 25 == 0:
        print(f"step {step} loss {loss.item():.4f} perplexity {2.718281828 ** min(loss.item(), 50):.2f}")
print("last ten", sum(losses[-10:]) / 10)
