"""The training loop, its data, augmentation and checkpoints; knows nothing of faces."""
