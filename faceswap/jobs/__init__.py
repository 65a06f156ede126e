"""The jobs: one file, one job, one command each.

A job is a function ``name(options: NameOptions) -> Generator[Event, None, NameSummary]``; its
docstring is the help text of its command. ``faceswap.commands`` lists all jobs. The modules import
torch, cv2 and av inside the generator only, so that ``--help`` and the window start fast.
"""
