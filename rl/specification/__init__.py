"""From the text of a specification to settings and parts."""
