"""Training of the built-in segmenter."""
