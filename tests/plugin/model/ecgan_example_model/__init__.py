"""A model for ecgan: an autoencoder that is trained to remove noise."""
