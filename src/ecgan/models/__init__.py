"""LightningModules: the training rule around a network. No Hydra here."""
