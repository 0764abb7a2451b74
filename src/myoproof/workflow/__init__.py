"""The rooms composed: the one place that knows them all."""
