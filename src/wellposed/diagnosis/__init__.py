"""Ranks findings and ties consequences to their root. Knows findings and record."""

from wellposed.diagnosis.diagnose import diagnose
from wellposed.diagnosis.diagnosis import Diagnosis

__all__ = ["Diagnosis", "diagnose"]
