"""Segment: an acquisition becomes named regions."""
