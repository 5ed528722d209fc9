"""Scores on the paper's benchmarks, and over a run's checkpoints."""
