"""Compositing: mask, colour transfer and blending of the swapped face into the frame."""
