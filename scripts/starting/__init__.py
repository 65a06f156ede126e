"""What ``start.py`` does once it runs on a Python that will do. Standard library only."""
