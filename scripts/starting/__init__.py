"""Commands of ``start.py``, run once a suitable Python is found. Standard library only."""
