"""An agent at work, as it is seen in a window, a terminal or a film."""
