"""Losses: functions on tensors, and the objects that a config chooses from."""

from __future__ import annotations

from ecgan.losses.adversarial import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, WGANClip
from ecgan.losses.terms import KL, ErrorName, FeatureMatching, Reconstruction, pointwise_error, reconstruction_error

__all__ = [
    "BCE",
    "KL",
    "LSGAN",
    "WGANGP",
    "AdversarialLoss",
    "ErrorName",
    "FeatureMatching",
    "Hinge",
    "Reconstruction",
    "WGANClip",
    "pointwise_error",
    "reconstruction_error",
]
