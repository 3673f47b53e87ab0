"""Tests of the example packages run once these are installed, see ``test_examples.py``."""

collect_ignore_glob = ["*/test_*.py"]
