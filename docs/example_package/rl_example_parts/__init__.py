"""Parts of one's own for the lab: an agent and a preprocessor."""
