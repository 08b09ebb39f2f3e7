"""OpenAI Lab (Keng and Graesser 2017): its specifications, read as they are, and its parts.

`reading` translates a file by the tables in `tables`; `parts`, which a translated specification
names as its `import`, registers the parts whose meaning differs from this lab's.
"""
