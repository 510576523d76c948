"""Logistic regression, SGD written by hand"""

import torch

torch.manual_seed(0)
true_weight = torch.randn(20)
x = torch.randn(1000, 20)
y = (x @ true_weight + 0.5 + torch.randn(1000) > 0).float()

weight = torch.zeros(20, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
learning_rate = 0.5

for step in range(400):
    batch = torch.randint(len(x), (128,))
    logit = x[batch] @ weight + bias
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, y[batch])
    loss.backward()
    with torch.no_grad():
        weight -= learning_rate * weight.grad
        bias -= learning_rate * bias.grad
        weight.grad.zero_()
        bias.grad.zero_()
    if step % 50 == 0:
        print(f"step {step:3d}  loss {loss.item():.4f}")

with torch.no_grad():
    accuracy = ((x @ weight + bias > 0) == (y > 0.5)).float().mean()
print(f"accuracy {accuracy:.1%}")
