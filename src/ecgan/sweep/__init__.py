"""Many runs with one command: which there are, which are left to do, how they end."""
