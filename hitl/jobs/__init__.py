"""Where work runs: in this process, in others of this machine, or on a Ray cluster. Knows nothing of what the work is.

    with place_of("ray") as place:
        for result in place.each(function, [(1,), (2,)]):
            ...

A job is a function of its arguments and of nothing else, so a worker that dies costs time and never data: its job is
repeated. Ray is imported by `driver` alone, in a process of its own, and only where it is asked for.
"""

from hitl.jobs.choose import KINDS, place_of
from hitl.jobs.place import Here, Kept, Place

__all__ = ["KINDS", "Here", "Kept", "Place", "place_of"]
