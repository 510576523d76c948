import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(2147483647)

names = []
syllables = ["an", "be", "li", "mo", "ra", "su", "ti", "no", "el", "ka"]
for _ in range(1500):
    k = int(torch.randint(2, 4, (1,), generator=g))
    names.append("".join(syllables[int(i)] for i in torch.randint(0, len(syllables), (k,), generator=g)))

chars = sorted(set("".join(names)))
stoi = {c: i + 1 for i, c in enumerate(chars)}
stoi["."] = 0
vocab_size = len(stoi)
block_size, n_embd, n_hidden, n_layers = 3, 10, 100, 4

X, Y = [], []
for w in names:
    context = [0] * block_size
    for ch in w + ".":
        X.append(context)
        Y.append(stoi[ch])
        context = context[1:] + [stoi[ch]]
X, Y = torch.tensor(X), torch.tensor(Y)

sizes = [n_embd * block_size] + [n_hidden] * n_layers + [vocab_size]
C = torch.randn((vocab_size, n_embd), generator=g)
weights = [torch.randn((i, o), generator=g) for i, o in zip(sizes[:-1], sizes[1:])]
biases = [torch.zeros(o) for o in sizes[1:]]
parameters = [C] + weights + biases
for p in parameters:
    p.requires_grad_()
print(sum(p.nelement() for p in parameters), "parameters")


def forward(x):
    h = C[x].view(x.shape[0], -1)
    for w, b in zip(weights[:-1], biases[:-1]):
        h = torch.tanh(h @ w + b)
    return h @ weights[-1] + biases[-1]


batch_size = 64
for i in range(300):
    ix = torch.randint(0, X.shape[0], (batch_size,), generator=g)
    loss = F.cross_entropy(forward(X[ix]), Y[ix])
    for p in parameters:
        p.grad = None
    loss.backward()
    for p in parameters:
        p.data += -0.1 * p.grad
    if i % 30 == 0:
        print(f"{i:5d}/300: {loss.item():.4f}")
with torch.no_grad():
    print("train loss", F.cross_entropy(forward(X), Y).item())
