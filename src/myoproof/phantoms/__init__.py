"""Simulate: a seed becomes acquisitions and their true rows."""
