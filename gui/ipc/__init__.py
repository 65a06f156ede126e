"""Child processes of the window: running jobs, and RPC to the preview server."""
