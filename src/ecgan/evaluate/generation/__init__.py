"""How good generated series are: pure functions of real and generated arrays (N, C, T)."""
