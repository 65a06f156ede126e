"""Training the swap model: options, face sets, pair matching, losses, previews."""
