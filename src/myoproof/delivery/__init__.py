"""Deliver: rows become reports, figures and tables that others open."""
