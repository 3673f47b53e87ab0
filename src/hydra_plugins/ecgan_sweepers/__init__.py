"""Sweepers of ecgan. Hydra reads these modules whenever it starts, so they hold next to nothing."""
