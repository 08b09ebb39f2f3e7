"""Which settings to try, and trying them."""
