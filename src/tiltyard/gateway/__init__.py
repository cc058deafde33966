"""The data plane: predictions and actuals over HTTP, answered once they are on disk."""
