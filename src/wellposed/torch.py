"""Products of PyTorch programs in their cheapest order.

``torch.compile(model, backend="wellposed")`` is all there is to write; ``wellposed.torch.reorder(model)`` does the same
with settings, and ``wellposed.torch.reports`` tells what it did. See docs/order.md.
"""

from wellposed.integrations.torch_reorder.backend import Reordering, reorder, reports
from wellposed.integrations.torch_reorder.explaining import Report, Rewrite
from wellposed.integrations.torch_reorder.rewriting import reorder_graph

__all__ = ["Reordering", "Report", "Rewrite", "reorder", "reorder_graph", "reports"]
