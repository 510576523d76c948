import torch
from torch import nn

torch.manual_seed(4)
TOPICS, WORDS, VOCAB, LENGTH = 20, 30, 601, 8
OOV_RATE = 0.45


def sentence(topic):
    ids = 1 + topic.unsqueeze(1) * WORDS + torch.randint(0, WORDS, (len(topic), LENGTH))
    unknown = torch.rand(len(topic), LENGTH) < OOV_RATE
    return ids.masked_fill(unknown, 0)


class SentenceEncoder(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.words = nn.Embedding(VOCAB, dim, padding_idx=0)
        self.mix = nn.Linear(dim, dim, bias=False)

    def forward(self, ids):
        pooled = self.words(ids).sum(1) / LENGTH
        v = torch.tanh(self.mix(pooled))
        return v / v.norm(dim=1, keepdim=True)


encoder = SentenceEncoder()
optimizer = torch.optim.Adam(encoder.parameters(), lr=3e-3)
history = []
for step in range(200):
    topic = torch.randint(0, TOPICS, (48,))
    same = torch.rand(48) < 0.5
    other = torch.where(same, topic, (topic + torch.randint(1, TOPICS, (48,))) % TOPICS)
    left, right = encoder(sentence(topic)), encoder(sentence(other))
    cosine = (left * right).sum(1)
    loss = torch.where(same, 1 - cosine, (cosine - 0.1).clamp(min=0)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
    if step % 20 == 0:
        print(f"{step} loss {loss.item():.4f} cosine same {cosine[same].mean().item():.3f} other {cosine[~same].mean().item():.3f}")
