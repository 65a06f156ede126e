"""The graphical user interface: from two videos to a finished one without a terminal.

It uses only the option models and events of the library. Every job runs in its own process
(job_runner.py); frames, faces and swaps come from a preview server (rpc_client.py). Neither torch
nor a video decoder is loaded in this process, and a crash there does not end it.
"""
