"""Reusable Qt widgets: forms, image canvas, plots, thumbnails, status bars and icons."""
