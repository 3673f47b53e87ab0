"""Trained detectors as files that run elsewhere: written, checked, loaded, and used on new series."""
