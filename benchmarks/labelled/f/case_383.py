"""Mixed precision training: bfloat16 activations, single precision weights and statistics."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(37)
n, d, classes = 2400, 24, 4
centres = 1.2 * torch.randn(classes, d)
label = torch.randint(0, classes, (n,))
x = centres[label] + torch.randn(n, d)
train, test = slice(0, 2000), slice(2000, n)

model = nn.Sequential(nn.Linear(d, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, classes))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
average = [p.detach().clone() for p in model.parameters()]
accumulate = 2
for epoch in range(6):
    total, count = 0.0, 0
    for step, batch in enumerate(torch.randperm(2000).split(40)):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x[train][batch]), label[train][batch])
        (loss / accumulate).backward()
        if (step + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
            for a, p in zip(average, model.parameters()):
                a.mul_(0.98).add_(p.detach(), alpha=0.02)
        total += loss.item() * len(batch)
        count += len(batch)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        accuracy = (model(x[test]).argmax(1) == label[test]).float().mean().item()
    print(f"epoch {epoch} loss {total / count:.4f} test accuracy {accuracy:.3f}")
names = [name for name, _ in model.named_parameters()]
with torch.no_grad():
    logits = torch.func.functional_call(model, dict(zip(names, average)), (x[test],))
print("accuracy of the averaged weights:", round((logits.argmax(1) == label[test]).float().mean().item(), 3))
