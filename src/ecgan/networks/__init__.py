"""Pure torch modules: no training rule, no Lightning."""
