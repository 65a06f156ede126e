"""Checks that ``doctor`` runs: graphics cards and trial runs of dependencies."""
