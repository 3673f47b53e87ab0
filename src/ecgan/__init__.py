"""Experiments with ECG and other time series that a reviewer can trust and run again."""

__version__ = "0.1.0"
