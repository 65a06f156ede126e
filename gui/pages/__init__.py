"""The window's pages, one for each step from footage to finished video."""
