import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
CLASSES, FEATURES, BATCH, TEMPERATURE = 800, 32, 96, 4.0


class Teacher(nn.Module):
    def __init__(self):
        super().__init__()
        self.centres = nn.Parameter(0.5 * torch.randn(CLASSES, FEATURES), requires_grad=False)

    def forward(self, x):
        return x @ self.centres.T


class Student(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.inp = nn.Linear(FEATURES, width)
        self.mid = nn.Linear(width, width)
        self.cls = nn.Linear(width, CLASSES)

    def forward(self, x):
        h = F.gelu(self.inp(x))
        h = h + F.gelu(self.mid(h))
        return self.cls(h)


def distillation(student_logits, teacher_logits):
    log_p = F.log_softmax(student_logits / TEMPERATURE, dim=1)
    q = F.softmax(teacher_logits / TEMPERATURE, dim=1)
    return F.kl_div(log_p, q, reduction="mean")


teacher, student = Teacher().eval(), Student()
optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
scaler = torch.amp.GradScaler("cpu", enabled=True)
losses = []
for step in range(150):
    x = torch.randn(BATCH, FEATURES)
    with torch.no_grad():
        target = teacher(x)
    with torch.autocast("cpu", dtype=torch.float16):
        logits = student(x)
    loss = distillation(logits.float(), target)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    losses.append(loss.item())
    if step % 20 == 0:
        agree = (logits.argmax(1) == target.argmax(1)).float().mean().item()
        print(f"step {step} divergence {loss.item():.4e} agreement {agree:.3f}")
