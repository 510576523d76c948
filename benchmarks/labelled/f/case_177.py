"""Differential expression: a test per gene, sorted by significance."""
import numpy as np
from scipy.stats import norm

rng = np.random.default_rng(90)
genes, cells = 2000, 400
effect = np.zeros(genes)
changed = rng.choice(genes, 60, replace=False)
effect[changed] = rng.uniform(0.2, 1.6, changed.size)
control = rng.normal(0, 1, (genes, cells))
treated = rng.normal(0, 1, (genes, cells)) + effect[:, None]

difference = treated.mean(axis=1) - control.mean(axis=1)
error = np.sqrt(treated.var(axis=1, ddof=1) / cells + control.var(axis=1, ddof=1) / cells)
z = difference / error
p_value = 2 * (1 - norm.cdf(np.abs(z)))

order = np.argsort(p_value)
ranks = np.arange(1, genes + 1)
q_value = np.minimum.accumulate((p_value[order] * genes / ranks)[::-1])[::-1]
found = order[q_value < 0.05]
print("genes tested:", genes, "cells per group:", cells)
print("genes called:", found.size, "of which changed:", int(np.isin(found, changed).sum()))
score = -np.log10(p_value)
print("highest score:", float(score.max()))
print("genes without a finite score:", int(np.isinf(score).sum()))
print("top ten scores:", np.round(np.sort(score)[::-1][:10], 1).tolist())
best = order[:10]
print("effects of the ten best genes:", np.round(np.sort(effect[best]), 2).tolist())
combined = -2 * np.log(p_value[best]).sum()
print("Fisher statistic of the first ten:", float(combined))
