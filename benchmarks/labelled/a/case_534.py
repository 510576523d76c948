import torch

torch.manual_seed(12)

# concrete mixes: shares of the ingredients and the age -> strength
X = torch.rand(600, 8)
strength = 2 * X[:, 0] - X[:, 3] + X[:, 7].sqrt() + X[:, 1] * X[:, 2]
Y = ((strength - strength.mean()) / strength.std()).view(-1, 1)


def layer(n_in, n_out):
    w = torch.rand(n_in, n_out)
    b = torch.zeros(n_out)
    return w.requires_grad_(), b.requires_grad_()


W1, b1 = layer(8, 64)
W2, b2 = layer(64, 64)
W3, b3 = layer(64, 1)
lr = 0.02

for epoch in range(60):
    order = torch.randperm(600)
    cost = 0.0
    for i in range(0, 600, 50):
        xb, yb = X[order[i:i + 50]], Y[order[i:i + 50]]
        h1 = (xb @ W1 + b1).clamp(min=0)
        h2 = (h1 @ W2 + b2).clamp(min=0)
        out = h2 @ W3 + b3
        loss = (out - yb).pow(2).mean()
        loss.backward()
        for p in (W1, b1, W2, b2, W3, b3):
            p.data -= lr * p.grad
            p.grad.zero_()
        cost += loss.item() / 12
    if epoch % 6 == 0:
        print("epoch", epoch, "cost", cost)
