"""Where sessions run, and who follows them."""
