import torch
from torch import nn
import torch.nn.functional as F

PAD, VOCAB, TAGS = 0, 50, 5


def sentences(n, width=16):
    words = torch.randint(1, VOCAB, (n, width))
    lengths = torch.randint(6, width + 1, (n,))
    words[torch.arange(width) >= lengths[:, None]] = PAD
    return words, (3 * words + words // 10) % TAGS


class Tagger(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.word = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.place = nn.Parameter(0.02 * torch.randn(16, dim))
        layer = nn.TransformerEncoderLayer(dim, 4, 96, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(dim, TAGS)

    def forward(self, words):
        h = self.encoder(self.word(words) + self.place, src_key_padding_mask=words == PAD)
        return self.head(h)


def prepare(words, tags):
    tags = tags.masked_fill(words == PAD, -100)
    real = words != PAD
    tags[real] = -100
    return tags


def token_loss(logits, tags):
    total = F.cross_entropy(logits.flatten(0, 1), tags.flatten(), ignore_index=-100, reduction="sum")
    return total / (tags != -100).sum().clamp(min=1)


torch.manual_seed(12)
model = Tagger()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
for step in range(200):
    words, tags = sentences(48)
    logits = model(words)
    loss = token_loss(logits, prepare(words, tags))
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        hit = (logits.argmax(-1) == tags)[words != PAD].float().mean().item()
        print(f"step {step:3d} loss {loss.item():.4f} tag accuracy {hit:.3f}")
