"""Formulas that lose digits without any NaN to show it: what the operators that ran in shadow tell."""
