"""The Open Inference Protocol, by Triton's HTTP client and by hand."""
