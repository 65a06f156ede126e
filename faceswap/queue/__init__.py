"""Queues of jobs: the file that lists them, the record of what is done, and their order."""
