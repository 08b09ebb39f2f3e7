"""What `rl VERB` does: a module for each verb or family of verbs.

Each has `add`, which says what the verb takes. They parse, call and print; what they need is
imported only once it is called, so that the command starts at once.
"""
