"""Runs: notebooks executed by papermill, for the queue that control keeps."""
