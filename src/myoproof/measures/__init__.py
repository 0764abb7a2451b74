"""Measure: an acquisition and its regions become rows of the table."""
