"""Networks, models and losses of the autoencoder family; knows nothing of faces."""
