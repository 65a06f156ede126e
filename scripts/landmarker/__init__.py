"""Training and export of the landmark network: rendered data, augmentation, report."""
