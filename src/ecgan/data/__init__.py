"""From raw files to batches: sources, store, folds, transforms, data module."""
