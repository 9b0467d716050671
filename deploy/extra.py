"""What one broker is to have beside what all of ours have: listeners that ask who comes, a smaller heap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Extra:
    """What a broker is to have beside what every one of ours has: nothing, but for tests.

    Attributes
    ----------
    listeners : tuple of str
        `PROTOCOL://HOST:PORT`, beside the plain one.
    properties : str
        Further lines of its settings; of two that say the same the last holds.
    format_options : tuple of str
        Of `kafka-storage format`, at the first start.
    java_options : tuple of str
        Of two that say the same the last holds.
    """

    listeners: tuple[str, ...] = ()
    properties: str = ""
    format_options: tuple[str, ...] = ()
    java_options: tuple[str, ...] = ()


NOTHING = Extra()
