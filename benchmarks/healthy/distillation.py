"""knowledge distillation, temperature 4"""

import torch
import torch.nn.functional as F
from torch import nn


def make_data(n, generator):
    centre = 1.5 * torch.randn(10, 16, generator=torch.Generator().manual_seed(9))
    label = torch.randint(10, (n,), generator=generator)
    return centre[label] + 1.5 * torch.randn(n, 16, generator=generator), label


def train_teacher(x, y):
    teacher = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-3)
    for _ in range(4):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(teacher(x[batch]), y[batch]).backward()
            optimizer.step()
    return teacher.eval().requires_grad_(False)


def distill(teacher, x, y, temperature=4.0, alpha=0.7):
    student = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    for epoch in range(8):
        for batch in torch.randperm(len(x)).split(64):
            logits = student(x[batch])
            with torch.no_grad():
                soft = F.softmax(teacher(x[batch]) / temperature, dim=1)
            kl = F.kl_div(F.log_softmax(logits / temperature, dim=1), soft, reduction="batchmean") * temperature**2
            loss = alpha * kl + (1 - alpha) * F.cross_entropy(logits, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.4f}")
    return student


def main():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    x, y = make_data(3000, generator)
    teacher = train_teacher(x, y)
    student = distill(teacher, x, y)
    test_x, test_y = make_data(1000, generator)
    for name, model in (("teacher", teacher), ("student", student)):
        print(name, f"{(model(test_x).argmax(1) == test_y).float().mean():.1%}")


if __name__ == "__main__":
    main()
