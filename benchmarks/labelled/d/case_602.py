import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(21)

TEMPERATURE = 2.0
DEPTH = 8


class Teacher(nn.Module):
    def __init__(self, n_in=16, n_cls=6):
        super().__init__()
        self.a = nn.Linear(n_in, 64)
        self.b = nn.Linear(64, n_cls)
        nn.init.normal_(self.a.weight, std=0.5)
        nn.init.normal_(self.b.weight, std=0.5)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


class Student(nn.Module):
    def __init__(self, n_in=16, width=40, n_cls=6, depth=DEPTH):
        super().__init__()
        sizes = [n_in] + [width] * depth
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:]))
        self.out = nn.Linear(width, n_cls)

    def forward(self, x):
        for layer in self.hidden:
            x = torch.sigmoid(layer(x))
        return self.out(x)


def kd_loss(student_logits, teacher_logits):
    p = F.log_softmax(student_logits / TEMPERATURE, 1)
    q = F.softmax(teacher_logits / TEMPERATURE, 1)
    return F.kl_div(p, q, reduction="batchmean") * TEMPERATURE ** 2


inputs = torch.randn(2000, 16)
teacher = Teacher().eval()
with torch.no_grad():
    soft = teacher(inputs)

student = Student()
for layer in student.hidden:
    nn.init.xavier_uniform_(layer.weight, gain=1.4)
optimizer = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)

step = 0
for epoch in range(8):
    for idx in torch.randperm(len(inputs)).split(64):
        logits = student(inputs[idx])
        loss = kd_loss(logits, soft[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    agree = (student(inputs).argmax(1) == soft.argmax(1)).float().mean().item()
    print(f"epoch {epoch} step {step} kd loss {loss.item():.4f} agreement {agree:.3f}")
