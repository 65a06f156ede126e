"""The lab's tasks: each trains and evaluates an autoencoder on one problem."""
