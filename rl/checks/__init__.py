"""Is everything there, is an environment sound, is a result the same again?"""
