"""What runs scorers and Tiltyard's own processes."""
