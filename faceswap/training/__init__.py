"""Training loop, data set, augmentation and checkpoints; nothing here is specific to faces."""
