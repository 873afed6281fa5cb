"""Models and checkpoints in files, which can be read without running code.

A file contains arrays and a JSON document. A module imports only modules above it:

- `archive`: the format of the file;
- `checks`: checks of values that were read;
- `codec`: conversion of values to JSON and arrays;
- `objects`: conversion of the objects of skmlp;
- `model` and `checkpoint`: the content of the two types of files.
"""

from skmlp.persistence import objects  # noqa: F401  registers its kinds in codec
