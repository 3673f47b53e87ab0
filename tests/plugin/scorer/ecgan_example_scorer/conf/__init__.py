"""Files of settings, found by ecgan through the entry point."""
