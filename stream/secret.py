"""The token that opens the pages, and the cookie that stands for it in a browser.

Every replica reads the same token file and keeps no list of who came in: the cookie says until when it holds and is signed
with the token, so that it opens all replicas, and none any more once the token is another.
"""

from __future__ import annotations

import hmac
from pathlib import Path

from stream.errors import ConfigError

LEAST_CHARACTERS = 16
COOKIE_SECONDS = 12 * 3600


class Secret:
    """A token of at least 16 printable characters."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    @classmethod
    def read(cls, path: Path) -> Secret:
        """Read it from its file; line ends behind it are not part of it.

        Raises
        ------
        ConfigError
            If the file cannot be read, or holds no such token.
        """
        try:
            token = path.read_text(encoding="ascii").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"http_token_file: expected a readable file of ASCII, found: {error}") from None
        if len(token) < LEAST_CHARACTERS or not token.isprintable() or " " in token:
            raise ConfigError(
                f"http_token_file: found {len(token)} characters in {path}, expected at least {LEAST_CHARACTERS} printable "
                "ones without a space: make one with openssl rand -hex 32."
            )
        return cls(token)

    def is_token(self, given: str) -> bool:
        """Whether it is the token, in a time that tells nothing of where it differs."""
        return hmac.compare_digest(given.encode(), self._token)

    def cookie(self, now_seconds: float) -> str:
        """Make a cookie that holds for `COOKIE_SECONDS` from now on, seconds since the epoch."""
        until = str(int(now_seconds) + COOKIE_SECONDS)
        return f"{until}.{self._signature(until)}"

    def is_cookie(self, given: str, now_seconds: float) -> bool:
        """Whether it is a cookie of ours that still holds."""
        until, _, signature = given.partition(".")
        known = hmac.compare_digest(signature.encode(), self._signature(until).encode())
        return known and int(until) > now_seconds

    def _signature(self, until: str) -> str:
        return hmac.digest(self._token, b"trivium cookie until " + until.encode(), "sha256").hex()
