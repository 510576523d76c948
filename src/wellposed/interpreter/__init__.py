"""What Python itself costs in a program: sampled, and told by cause. Knows no PyTorch and no NumPy."""

from wellposed.interpreter.costs import Costs, PlaceCosts, Share, Size, ThreadCosts
from wellposed.interpreter.observing import Observation, costs
from wellposed.interpreter.sampling import SamplingError

__all__ = ["Costs", "Observation", "PlaceCosts", "SamplingError", "Share", "Size", "ThreadCosts", "costs"]
