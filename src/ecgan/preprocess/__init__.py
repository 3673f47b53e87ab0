"""Preprocessing steps: pure functions from recordings to recordings, stored once."""
