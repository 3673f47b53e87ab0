"""Batteries that the models, scorers and sources of the suite pass, for authors of others to call in their tests."""

from ecgan.testing.models import check_model
from ecgan.testing.scorers import check_scorer
from ecgan.testing.sources import check_source

__all__ = ["check_model", "check_scorer", "check_source"]
