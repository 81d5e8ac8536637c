"""Labels and items from and to the files of others: one module a format, all of them in `registry.py`.

Knows nothing of windows, sockets or models.
"""
