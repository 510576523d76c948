import torch
from torch import nn

torch.manual_seed(50)
FLOOR = 1e-10


class Head(nn.Module):
    def __init__(self, dim=48, classes=30):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.proj = nn.Linear(dim, classes)
        nn.init.normal_(self.proj.weight, std=0.9)

    def forward(self, x):
        return self.proj(self.norm(x))


@torch.inference_mode()
def uncertainty(model, batch):
    probs = torch.softmax(model(batch), dim=-1)
    logp = torch.log(probs.clamp(min=FLOOR))
    return -(probs * logp).sum(-1)


model = Head().half().eval()
pool = torch.randn(512, 48).half()
scores = torch.cat([uncertainty(model, chunk) for chunk in pool.split(64)]).float()
ranked = scores.argsort(descending=True)
print("entropy: mean", scores.mean().item(), "max", scores.max().item())
print("samples to label next:", ranked[:8].tolist())
print("their entropy:", [round(v, 3) for v in scores[ranked[:8]].tolist()])
