"""Speed and accuracy: benchmarks against peers, and the calibrations that write the shipped evidence."""
