"""Rendered heads with exact ground truth."""
