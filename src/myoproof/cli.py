"""The command line: one command per verb; parses, calls workflow, prints."""
