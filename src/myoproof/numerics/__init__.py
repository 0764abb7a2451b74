"""The arithmetic: arrays in, arrays out; knows no patient, unit or file."""
