"""What is fitted on the training part and applied to series as they are loaded."""
