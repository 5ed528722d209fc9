"""What came of a run, for people."""
