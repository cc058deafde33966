"""The R engine: ``Rscript`` workers on pipes, and what goes over them."""
