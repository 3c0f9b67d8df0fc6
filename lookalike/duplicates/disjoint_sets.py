"""Sets of numbers that only ever grow together (union-find)."""

from __future__ import annotations

from collections.abc import Iterable


class DisjointSets:
    """Sets of numbers from 0 on that only ever grow together."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, number: int) -> int:
        """The number that stands for the set of this one."""
        root = number
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[number] != root:
            self._parents[number], number = root, self._parents[number]
        return root

    def join(self, first: int, second: int) -> None:
        """Make one set of the sets of two numbers."""
        first_root, second_root = self.find(first), self.find(second)
        if first_root != second_root:
            self._parents[max(first_root, second_root)] = min(first_root, second_root)

    def are_joined(self, first: int, second: int) -> bool:
        """Whether two numbers are in one set."""
        return self.find(first) == self.find(second)

    def sets(self, numbers: Iterable[int]) -> list[list[int]]:
        """The sets of these numbers with more than one of them, in ascending order."""
        members: dict[int, list[int]] = {}
        for number in numbers:
            members.setdefault(self.find(number), []).append(number)
        return [group for group in members.values() if len(group) > 1]
