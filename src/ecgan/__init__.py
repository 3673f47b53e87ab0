"""Experiments with ECG and other time series that a reviewer can trust and run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ecgan.publish.detector import PublishedDetector

__version__ = "0.1.0"


def load(place: str | Path, detector: str | None = None, fold: int = 0, sha256: str | None = None) -> PublishedDetector:
    """Load a detector that was published with ecgan-publish, or that a run directory holds.

    Args:
        place: folder or zip file of a bundle, its ``https://`` or ``s3://`` address, or a run directory.
        detector: which of several, by name; the first of the run's config by default.
        fold: of a run directory; a bundle holds one.
        sha256: digest of the bundle as ecgan-publish printed it; another bundle is refused.

    Raises:
        EcganError: when there is no bundle, anything of it is not as it was published, or it names a class that may
            not be called.
    """
    from ecgan.publish.loading import load as load_detector  # torch takes seconds, and not everybody needs it

    return load_detector(place, detector, fold, sha256)
