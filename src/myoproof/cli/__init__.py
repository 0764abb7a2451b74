"""The face in a terminal: a file per group of commands, put together in `app`."""

from myoproof.cli.app import app, main

__all__ = ["app", "main"]
