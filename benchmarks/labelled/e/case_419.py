import argparse
import torch
from transformers import BertConfig, BertForSequenceClassification

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=90)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
torch.manual_seed(args.seed)

CLS, SEP, VOCAB, LENGTH = 1, 2, 200, 20
positive = torch.arange(10, 40)
negative = torch.arange(40, 70)


def reviews(n):
    ids = torch.randint(70, VOCAB, (n, LENGTH))
    label = torch.randint(0, 2, (n,))
    for i in range(n):
        pool = positive if label[i] else negative
        where = torch.randperm(LENGTH - 2)[:4] + 1
        ids[i, where] = pool[torch.randint(0, len(pool), (4,))]
    ids[:, 0], ids[:, -1] = CLS, SEP
    return ids, label


config = BertConfig(vocab_size=VOCAB, hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
                    intermediate_size=128, max_position_embeddings=32, num_labels=2)
model = BertForSequenceClassification(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
model.train()
losses = []
for step in range(args.steps):
    ids, label = reviews(args.batch)
    out = model(input_ids=ids, labels=label)
    optimizer.zero_grad()
    out.loss.backward()
    optimizer.step()
    losses.append(out.loss.item())
    if step % 10 == 0:
        acc = (out.logits.argmax(-1) == label).float().mean().item()
        print(f"step {step} loss {out.loss.item():.4f} acc {acc:.3f}")
print("mean of the last ten", sum(losses[-10:]) / 10)
