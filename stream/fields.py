"""What a setting's value may be: its types, with the check and the words that say what was expected.

Checks across settings look at fields declared before, and only at those that are right themselves.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from stream.content import TEXT, content_type
from stream.errors import RecordError
from stream.frame import Modality
from stream.sources import shown


def _matching(pattern: str, expected: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(expected)
        return value

    return AfterValidator(check)


def at_most(other: str, *, strictly: bool = False) -> AfterValidator:
    """Not above the field `other` (strictly: below it), which is declared before; a faulty one is reported alone."""

    def check(value: float, info: ValidationInfo) -> float:
        limit = info.data.get(other)
        if limit is not None and (value > limit or (strictly and value == limit)):
            raise ValueError(f"{'less than' if strictly else 'at most'} {other} = {shown(limit)}")
        return value

    return AfterValidator(check)


def only_with(protocol: str, *, needed: bool) -> AfterValidator:
    """Take a value only where `security_protocol` speaks `protocol`, where it may be needed."""

    def check(value: object, info: ValidationInfo) -> object:
        chosen = info.data.get("security_protocol")
        if chosen is None:
            return value
        if value is None and needed and protocol in chosen:
            raise ValueError(f"a value, since security_protocol is {chosen}")
        if value is not None and protocol not in chosen:
            raise ValueError(f"no value, since security_protocol is {chosen}")
        return value

    return AfterValidator(check)


def with_certificate(certfile: str, keyfile: str) -> AfterValidator:
    """A key is given with its certificate, declared before it, or neither is."""

    def check(value: object, info: ValidationInfo) -> object:
        if certfile in info.data and (value is None) != (info.data[certfile] is None):
            raise ValueError(f"{certfile} and {keyfile}, both or neither")
        return value

    return AfterValidator(check)


def is_loopback(http: str) -> bool:
    """Whether an address `HOST:PORT` is reached from this machine only."""
    host = http.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _needed_beyond_loopback(value: object, info: ValidationInfo) -> object:
    http = info.data.get("http")
    if value is None and http is not None and not is_loopback(http):
        raise ValueError(f"a file that holds a token, since http = {http} is reached from other machines")
    return value


def _three_decimals(value: float) -> float:
    if round(value, 3) != value:
        raise ValueError("a number of ms with at most three decimals")
    return value


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("a file that is there")
    return path


def _content_of(modality: Modality, example: str) -> AfterValidator:
    """Take a content type that records of this modality may have, and spell it canonically."""

    def check(value: str) -> str:
        try:
            parsed = content_type(value.encode())
        except RecordError:
            parsed = None
        if parsed is None or parsed.modality != modality:
            raise ValueError(f"a content type of {modality}, such as {example}")
        return parsed.canonical

    return AfterValidator(check)


_HOST_PORT = r"(\[[0-9a-fA-F:]+\]|[^\s,:\[\]]+):(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
NEEDED_BEYOND_LOOPBACK = AfterValidator(_needed_beyond_loopback)
EMPTY_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)

Ms = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_three_decimals)]
PositiveMs = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_three_decimals)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Servers = Annotated[str, _matching(rf"{_HOST_PORT}(\s*,\s*{_HOST_PORT})*", "HOST:PORT, or several with commas between")]
Address = Annotated[str, _matching(_HOST_PORT, "HOST:PORT")]
Hosts = Annotated[str, _matching(r"([^\s,:/]+(\s*,\s*[^\s,:/]+)*)?", "names of hosts without ports, commas between")]
Name = Annotated[str, _matching(r"\S(.*\S)?", "a name without spaces around it")]
File = Annotated[Path, AfterValidator(_is_file)]
Prefix = Annotated[str, _matching(r"[a-zA-Z0-9._-]{0,200}", "at most 200 of the characters a-z A-Z 0-9 . _ -")]
AudioType = Annotated[str, _content_of(Modality.AUDIO, "audio/L16;rate=16000;channels=1")]
VideoType = Annotated[str, _content_of(Modality.VIDEO, "image/jpeg")]
TextType = Annotated[str, _content_of(Modality.TEXT, TEXT)]
