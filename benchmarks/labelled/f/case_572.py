"""Search an index of half precision sentence embeddings."""
import torch

torch.manual_seed(12)
count, width, topics = 1500, 64, 30
centre = torch.randn(topics, width)
topic = torch.randint(0, topics, (count,))
length = 10 ** torch.empty(count, 1).uniform_(-5.5, -3.5)
vectors = ((centre[topic] + 0.7 * torch.randn(count, width)) * length).half()


def normalise(v):
    norm = v.pow(2).sum(1, keepdim=True).sqrt()
    return torch.where(norm > 0, v / norm, v)


def search(index, query, k):
    return (query.float() @ index.float().T).topk(k, dim=1).indices


index = normalise(vectors)
query_topic = torch.arange(topics).repeat(4)
query = centre[query_topic] + 0.7 * torch.randn(len(query_topic), width)
query = query / query.norm(dim=1, keepdim=True)
for k in (1, 10, 30):
    hits = topic[search(index, query, k)] == query_topic[:, None]
    print(f"precision at {k:2d}: {hits.float().mean().item():.3f}")
found = search(index, query, 30).unique()
print("documents that are ever found:", found.numel(), "of", count)
relevant = torch.stack([(topic[search(index, query[i:i + 1], 50)[0]] == query_topic[i]).sum() / (topic == query_topic[i]).sum()
                        for i in range(len(query))])
print("recall at 50:", round(relevant.mean().item(), 3))
print("median length of the indexed vectors:", round(index.float().norm(dim=1).median().item(), 4))
