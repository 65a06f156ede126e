"""The window: from two videos to a finished one without a terminal.

It knows the library by its option models and its events only; everything that computes runs in
a process of its own (job_runner.py), everything that is shown comes from one that answers
(rpc_client.py). So neither torch nor a decoder is ever loaded here, and no crash there ends it.
"""
