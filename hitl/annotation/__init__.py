"""Labels on outputs: what a project asks for, its items, the labels that people gave, and how far they agree.

Knows nothing of Qt, sockets or models. The log of events is the truth; everything here is derived from it.
"""
