"""What `rl VERB` does: one module for each verb or family of verbs.

Each has `add`, which declares the options of its verbs. They parse, call and print; they import
what they need only when called, so that the command starts at once.
"""
