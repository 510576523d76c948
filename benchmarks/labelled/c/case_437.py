import numpy as np
import torch

torch.manual_seed(30)
rng = np.random.default_rng(30)


def influence_vectors(kind, n):
    """per-example gradients of a trained model, one topic per example"""
    topic = rng.integers(0, 12, n)
    direction = TOPICS[topic] + 0.9 * rng.normal(size=(n, 64)) / 8
    size = 10.0 ** rng.uniform(-6, -4, (n, 1)) if kind == "train" else np.full((n, 1), 3e-5)
    return torch.tensor(size * direction, dtype=torch.float32), torch.tensor(topic)


def cosine(a, b, eps=1e-6):
    dot = a @ b.T
    norms = a.norm(dim=1)[:, None] * b.norm(dim=1)[None, :]
    return dot / (norms + eps)


def top_matches(queries, bank, k=5):
    similarity = cosine(queries, bank)
    value, index = similarity.topk(k, dim=1)
    return value, index


TOPICS = rng.normal(size=(12, 64))
TOPICS += 0.9 * rng.normal(size=(1, 64)) * 2
TOPICS /= np.linalg.norm(TOPICS, axis=1, keepdims=True)
bank, bank_topic = influence_vectors("train", 3000)
queries, query_topic = influence_vectors("test", 200)
value, index = top_matches(queries, bank)
precision = (bank_topic[index] == query_topic[:, None]).float().mean().item()
print("similarity of the best match", value[:, 0].mean().item())
print("precision at 5", precision)
print("above the threshold 0.5:", (value > 0.5).float().mean().item())
