"""Classification after fitting."""
