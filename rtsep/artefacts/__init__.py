"""What learning writes and running reads: model files, each with its card inside."""
