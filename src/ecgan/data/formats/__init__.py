"""Reading the formats that raw files come in."""
