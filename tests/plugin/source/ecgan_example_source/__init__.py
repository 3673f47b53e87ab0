"""A data source for ecgan: one CSV file per patient."""
