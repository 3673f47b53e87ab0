"""Batteries that the models and scorers of the suite pass, for authors of other ones to call in their tests."""

from ecgan.testing.models import check_model
from ecgan.testing.scorers import check_scorer

__all__ = ["check_model", "check_scorer"]
