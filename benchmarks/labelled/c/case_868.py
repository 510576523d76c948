import torch

torch.manual_seed(0)


def make_patients(n):
    dose = torch.rand(n) * 4
    age = torch.randn(n)
    outcome = (dose + 0.05 * torch.randn(n) > 2.0).float()
    return torch.stack([torch.ones(n), dose, age], 1), outcome


def irls(X, y, iterations=15):
    """iteratively reweighted least squares for a logistic regression"""
    beta = torch.zeros(X.shape[1])
    ridge = 1e-2 * torch.eye(X.shape[1])
    for it in range(iterations):
        eta = X @ beta
        p = torch.sigmoid(eta)
        w = (p * (1 - p)).clamp(min=1e-4)
        z = eta + (y - p) / w
        beta = torch.linalg.solve(X.T @ (w[:, None] * X) + ridge, X.T @ (w * z))
        nll = torch.nn.functional.binary_cross_entropy_with_logits(X @ beta, y)
        print(f"iteration {it} nll {nll.item():.5f} beta {[round(b, 3) for b in beta.tolist()]}")
    return beta


X, y = make_patients(500)
beta = irls(X, y)
X_test, y_test = make_patients(2000)
accuracy = ((X_test @ beta > 0).float() == y_test).float().mean().item()
print("test accuracy", accuracy)
