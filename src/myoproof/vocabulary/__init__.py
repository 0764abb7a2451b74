"""The words: measures, sites, sides, flags and reasons, with one loader."""
