"""Apache Beam wiring: every module here is thin."""
