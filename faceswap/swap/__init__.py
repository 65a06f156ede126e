"""One encoder, two decoders, and back into the frame."""
