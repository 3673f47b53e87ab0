"""New series from trained models: drawing them, writing them, judging them while a fold is trained."""
