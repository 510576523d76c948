"""What a recording says about choices that a program made, where nothing broke: its epsilons, and another format."""

from wellposed.advice.distribution import Distribution, distribution_of_values
from wellposed.advice.epsilon import VERDICTS, Epsilon, Range, Use, Verdict
from wellposed.advice.epsilons import epsilons_in

__all__ = [
    "VERDICTS",
    "Distribution",
    "Epsilon",
    "Range",
    "Use",
    "Verdict",
    "distribution_of_values",
    "epsilons_in",
]
