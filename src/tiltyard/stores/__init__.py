"""Where history, live log, predictions, actuals and summaries are kept."""
