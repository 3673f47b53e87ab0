"""Other software on the same work: environments, rounds, and our own sides."""
