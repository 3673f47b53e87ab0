"""Detectors: a scorer and a threshold rule, run as a callback after fitting."""
