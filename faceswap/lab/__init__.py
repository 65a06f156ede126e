"""What autoencoders are used for besides swapping faces; each use by one function."""
