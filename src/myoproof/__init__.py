"""myoproof: neuromuscular measurements, studies and the evidence behind every number."""

__version__ = "0.1.0"
