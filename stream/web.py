"""All that is there over HTTP, in one application behind one guard.

    health, login, events, sessions, and what others add -> [Guard] -> server.py

A part that others add is a list of Starlette routes, WebSockets included: the guard is around all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from stream import health, login
from stream.guard import Guard
from stream.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.routing import BaseRoute

    from stream.config import Settings


def app(settings: Settings, state: health.Health, parts: Iterable[Iterable[BaseRoute]] = ()) -> Guard:
    """Make the application; anything that is no page is a short 404 or 405.

    Parameters
    ----------
    parts : iterable of iterables of routes
        What is there beside health and login, in this order.

    Raises
    ------
    ConfigError
        If the token cannot be read.
    """
    secret = None if settings.http_token_file is None else Secret.read(settings.http_token_file)
    return Guard(Starlette(routes=routes(state, secret, parts)), settings, secret)


def routes(
    state: health.Health, secret: Secret | None = None, parts: Iterable[Iterable[BaseRoute]] = ()
) -> list[BaseRoute]:
    """Every route, in the order in which they are tried."""
    return [*health.routes(state), *login.routes(secret), *(route for part in parts for route in part)]
