"""Face swapping: shared encoder with two decoders, compositing and evaluation."""
