import torch
from torch import nn

torch.manual_seed(8)


def to_srgb(linear):
    return linear.clamp(min=1e-3) ** (1 / 2.2)


class Renderer(nn.Module):
    """colour of a point on a sphere from its normal"""

    def __init__(self, width=48):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))
        nn.init.constant_(self.net[-1].bias, 0.5)

    def forward(self, normal):
        return self.net(normal)


class Trainer:
    def __init__(self, model, normals, photo, lr=5e-3):
        self.model, self.normals, self.photo = model, normals, photo
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def step(self):
        pick = torch.randint(0, len(self.normals), (256,))
        rendered = to_srgb(self.model(self.normals[pick]))
        loss = (rendered - self.photo[pick]).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, steps):
        for i in range(steps):
            loss = self.step()
            if i % 50 == 0:
                print(f"step {i} l1 {loss:.4f}")
        return loss


normals = nn.functional.normalize(torch.randn(3000, 3), dim=1)
light = nn.functional.normalize(torch.tensor([0.4, 0.8, 0.4]), dim=0)
shade = (normals @ light).clamp(min=0.0)[:, None] * torch.tensor([0.9, 0.6, 0.3]) + 0.02
print("last", Trainer(Renderer(), normals, shade ** (1 / 2.2)).fit(400))
