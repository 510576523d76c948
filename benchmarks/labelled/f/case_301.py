"""Forward algorithm and posterior of a three state model on long sequences."""
import numpy as np

rng = np.random.default_rng(29)
transition = np.array([[0.90, 0.08, 0.02], [0.05, 0.90, 0.05], [0.02, 0.08, 0.90]])
emission = rng.dirichlet(np.full(12, 0.8), size=3)
initial = np.array([0.4, 0.3, 0.3])
log_a, log_b, log_pi = np.log(transition), np.log(emission), np.log(initial)


def sequence(length):
    state, states, symbols = rng.choice(3, p=initial), [], []
    for _ in range(length):
        states.append(state)
        symbols.append(rng.choice(12, p=emission[state]))
        state = rng.choice(3, p=transition[state])
    return np.array(states), np.array(symbols)


def logsumexp(v, axis):
    top = v.max(axis=axis, keepdims=True)
    return (top + np.log(np.exp(v - top).sum(axis=axis, keepdims=True))).squeeze(axis)


def forward_backward(symbols):
    alpha = np.zeros((len(symbols), 3))
    beta = np.zeros((len(symbols), 3))
    alpha[0] = log_pi + log_b[:, symbols[0]]
    for t in range(1, len(symbols)):
        alpha[t] = logsumexp(alpha[t - 1][:, None] + log_a, axis=0) + log_b[:, symbols[t]]
    for t in range(len(symbols) - 2, -1, -1):
        beta[t] = logsumexp(log_a + log_b[:, symbols[t + 1]] + beta[t + 1], axis=1)
    log_likelihood = logsumexp(alpha[-1], axis=0)
    return log_likelihood, np.exp(alpha + beta - log_likelihood)


for length in (50, 500, 3000):
    states, symbols = sequence(length)
    log_likelihood, posterior = forward_backward(symbols)
    accuracy = (posterior.argmax(axis=1) == states).mean()
    print(f"length {length:5d} log likelihood per symbol {log_likelihood / length:.4f} "
          f"accuracy {accuracy:.3f} largest deviation from one {np.abs(posterior.sum(axis=1) - 1).max():.1e}")
