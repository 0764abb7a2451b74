"""Validate: rows against reference rows become evidence rows."""
