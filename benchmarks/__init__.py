"""Speed and accuracy: benchmarks against peers, and the heavy calibrations that write the shipped evidence."""
