"""Evaluation of a swap: metrics, contact sheet and report."""
