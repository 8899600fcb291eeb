"""Results by content: made once, verified when opened, made again when what they depend on changes.

``code`` finds what source a function really uses, ``content`` hashes what it is given, ``store``
keeps folders, ``remember`` puts the three together.
"""
