"""Sort forum posts into topics by their word counts."""
import numpy as np

rng = np.random.default_rng(55)
TOPICS, VOCABULARY = 5, 3000
profiles = rng.dirichlet(np.full(VOCABULARY, 0.4), size=TOPICS)


def posts(count, low, high):
    topics = rng.integers(0, TOPICS, count)
    texts = [rng.choice(VOCABULARY, size=int(rng.integers(low, high)), p=profiles[k]) for k in topics]
    return topics, texts


def train(topics, texts):
    counts = np.ones((TOPICS, VOCABULARY))
    for k, words in zip(topics, texts):
        np.add.at(counts[k], words, 1)
    prior = np.bincount(topics, minlength=TOPICS) / len(topics)
    return prior, counts / counts.sum(axis=1, keepdims=True)


def predict(prior, words_given_topic, words):
    score = prior * np.prod(words_given_topic[:, words], axis=1)
    return int(np.argmax(score))


prior, words_given_topic = train(*posts(300, 40, 200))
for name, low, high in (("short", 15, 30), ("medium", 60, 90), ("long", 150, 400)):
    topics, texts = posts(200, low, high)
    found = np.array([predict(prior, words_given_topic, words) for words in texts])
    accuracy = (found == topics).mean()
    share = np.bincount(found, minlength=TOPICS) / len(found)
    print(f"{name:6s} posts: accuracy {accuracy:.3f}, share per topic {np.round(share, 2).tolist()}")
