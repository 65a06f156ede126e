"""Autoencoder networks, models and losses, independent of faces."""
