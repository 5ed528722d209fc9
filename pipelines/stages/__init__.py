"""The stages of a run, one file a kind. Beam is imported when one runs, and not before."""
