"""Versions: log_model, signatures, golden rows, ONNX, and the folder that holds them."""
