"""Models and checkpoints in files, which can be read without running code.

A file holds arrays, and a document in JSON that says what they are. Its layers, each
of which knows nothing of the next: `archive`, the file; `codec`, the values; `model`
and `checkpoint`, which values there are.
"""
