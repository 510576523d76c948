"""The double-double reference: pairs of float64 tensors, 31 decimal digits, for programs that are float64 already."""

from wellposed.shadow.double_double.reference import DoubleDouble

__all__ = ["DoubleDouble"]
