"""Autoencoder tasks besides face swapping: denoising, inpainting, generation and others."""
