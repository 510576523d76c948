import torch

torch.manual_seed(2)
n_users, n_items, rank = 120, 90, 6
U_true = torch.randn(n_users, rank)
V_true = torch.randn(n_items, rank)
ratings = 3.5 + 0.6 * (U_true @ V_true.t()) / rank ** 0.5 + 0.1 * torch.randn(n_users, n_items)
observed = torch.rand(n_users, n_items) < 0.3
rows, cols = observed.nonzero(as_tuple=True)
values = ratings[rows, cols]

P = (0.1 * torch.randn(n_users, rank)).requires_grad_()
Q = (0.1 * torch.randn(n_items, rank)).requires_grad_()
user_bias = torch.zeros(n_users, requires_grad=True)
item_bias = torch.zeros(n_items, requires_grad=True)
mu = values.mean()
learning_rate = 0.02
weight_decay = 0.02

for sweep in range(400):
    predicted = mu + user_bias[rows] + item_bias[cols] + (P[rows] * Q[cols]).sum(1)
    loss = ((predicted - values) ** 2).sum()
    loss = loss + weight_decay * (P.pow(2).sum() + Q.pow(2).sum())
    loss.backward()
    with torch.no_grad():
        for p in (P, Q, user_bias, item_bias):
            p -= learning_rate * p.grad
            p.grad = None
    if sweep % 40 == 0:
        print(f"sweep {sweep:3d} rmse {(loss.item() / len(values)) ** 0.5:.4f}")
print("final", loss.item())
