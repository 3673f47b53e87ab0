"""Getting raw files."""
