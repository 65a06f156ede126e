"""Training of the built-in face embedder, ``assets/embedder.safetensors``."""
