"""Re-associates the products of PyTorch's graphs before they are compiled. Its face is `wellposed.torch`.

`operations` reads nodes over `indices`, `gathering` finds expressions, `contraction` orders one product, `choosing`
decides over the whole graph, `rebuilding` writes, `explaining` tells, `rewriting` is the pass, `backend` hooks it into
``torch.compile``.
"""
