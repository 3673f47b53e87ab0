"""Many runs beside one another: one table, tests over data sets, and the price of leakage."""

from ecgan.comparison.command import Request, compare, parse

__all__ = ["Request", "compare", "parse"]
