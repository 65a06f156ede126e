"""Array types that all parts share; the conventions are in ``faceswap``."""
