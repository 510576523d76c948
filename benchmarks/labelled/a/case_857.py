import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(11)
N_WAY, K_SHOT, N_QUERY = 5, 3, 4
TAU = 0.0002

prototypes = torch.randn(60, 12)
mixing = torch.randn(12, 40) / 12 ** 0.5


def episode():
    chosen = torch.randperm(60)[:N_WAY]
    z = prototypes[chosen].repeat_interleave(K_SHOT + N_QUERY, 0)
    z = z + 0.5 * torch.randn_like(z)
    x = torch.cat([z @ mixing, 1.5 * torch.randn(len(z), 24)], 1)
    x = x.view(N_WAY, K_SHOT + N_QUERY, -1)
    support = x[:, :K_SHOT].reshape(-1, x.size(-1))
    query = x[:, K_SHOT:].reshape(-1, x.size(-1))
    return support, query


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 96), nn.LeakyReLU(0.1), nn.Linear(96, 32))

    def forward(self, x):
        return F.normalize(self.net(x), dim=-1)


encoder = Encoder()
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
s_label = torch.arange(N_WAY).repeat_interleave(K_SHOT)
q_label = torch.arange(N_WAY).repeat_interleave(N_QUERY)
one_hot = F.one_hot(s_label, N_WAY).float()

running = []
for it in range(1200):
    support, query = episode()
    similarity = encoder(query) @ encoder(support).t()
    attention = F.softmax(similarity / TAU, dim=1)
    probs = attention @ one_hot
    loss = F.nll_loss(torch.log(probs + 1e-6), q_label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    running.append(loss.item())
    if (it + 1) % 150 == 0:
        acc = (probs.argmax(1) == q_label).float().mean().item()
        print(f"episode {it + 1}: loss {sum(running[-150:]) / 150:.4f} acc {acc:.2f}")
