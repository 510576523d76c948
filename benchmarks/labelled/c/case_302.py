import torch
from torch import nn

torch.manual_seed(0)
VOCAB, DIM, HEADS, LENGTH = 200, 32, 4, 12
NEG = -1e4


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.proj = nn.Linear(DIM, DIM)

    def forward(self, x, bias):
        b, n, _ = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        score = q @ k.transpose(-2, -1) * (DIM // HEADS) ** -0.5 + bias
        return self.proj((score.softmax(-1) @ v).transpose(1, 2).reshape(b, n, -1))


class Encoder(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, DIM)
        self.norms = nn.ModuleList(nn.LayerNorm(DIM) for _ in range(depth))
        self.layers = nn.ModuleList(Attention() for _ in range(depth))

    def forward(self, tokens, mask):
        x = self.embed(tokens)
        bias = (1 - mask)[:, None, None, :].to(x.dtype) * torch.tensor(NEG).to(x.dtype)
        for norm, layer in zip(self.norms, self.layers):
            x = x + layer(norm(x), bias)
        keep = mask[..., None].to(x.dtype)
        return (x * keep).sum(1) / keep.sum(1)


@torch.no_grad()
def embed(model, tokens, mask):
    vectors = model(tokens, mask).float()
    return nn.functional.normalize(vectors, dim=1)


tokens = torch.randint(0, VOCAB, (64, LENGTH))
mask = (torch.arange(LENGTH) < torch.randint(3, LENGTH + 1, (64, 1))).long()
model = Encoder().eval()
full = embed(model, tokens, mask)
half = embed(model.half(), tokens, mask)
print("cosine between the two precisions", (full * half).sum(1).mean().item())
print("nearest neighbours agree", ((half @ half.T).topk(2).indices == (full @ full.T).topk(2).indices).float().mean().item())
