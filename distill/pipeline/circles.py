"""Models that wait for each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def circle(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """A way along `needs` that ends where it began, `[a, b, a]`; empty where every model can be made.

    Args: needs: names that a model waits for, by its name; others are there already.
    """
    waiting = {name: set(others) for name, others in needs.items()}
    while ready := [name for name, others in waiting.items() if others.isdisjoint(waiting)]:
        for name in ready:
            del waiting[name]
    if not waiting:
        return []
    way = [next(iter(waiting))]
    while way[-1] not in way[:-1]:
        way.append(next(name for name in needs[way[-1]] if name in waiting))
    return way[way.index(way[-1]) :]
