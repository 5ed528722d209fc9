"""All that knows Beam, a runner or a pool of processes."""
