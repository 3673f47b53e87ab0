"""A scorer for ecgan: the power spectrum of a series against those of normal ones."""
