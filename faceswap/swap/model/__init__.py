"""The swap model: architectures, presets, and loading from checkpoints."""
