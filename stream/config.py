"""Settings: each named once, read from four places, checked whole before anything starts.

Later places win: defaults, `trivium.toml` (or `--config FILE`), `TRIVIUM_NAME` in the environment, `--name` flags.
Knows nothing of bundles, lanes or the broker's state; `options.py` turns the fields into flags.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stream.errors import ConfigError
from stream.sources import environment_layer, faults, file_layer, flag_layer, shown

MIB = 1 << 20


def _matching(pattern: str, expected: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(expected)
        return value

    return AfterValidator(check)


def _at_most(other: str) -> AfterValidator:
    """Not above the field `other`, which is declared before; a faulty one is reported alone."""

    def check(value: float, info: ValidationInfo) -> float:
        limit = info.data.get(other)
        if limit is not None and value > limit:
            raise ValueError(f"at most {other} = {shown(limit)}")
        return value

    return AfterValidator(check)


def _only_with(protocol: str, *, needed: bool) -> AfterValidator:
    """A value makes sense only where `security_protocol` speaks `protocol`, and may be needed there."""

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


def _with_certificate(value: object, info: ValidationInfo) -> object:
    if "ssl_certfile" in info.data and (value is None) != (info.data["ssl_certfile"] is None):
        raise ValueError("ssl_certfile and ssl_keyfile, both or neither")
    return value


def _three_decimals(value: float) -> float:
    if round(value, 3) != value:
        raise ValueError("a number of ms with at most three decimals")
    return value


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("a file that is there")
    return path


_HOST_PORT = r"(\[[0-9a-fA-F:]+\]|[^\s,:\[\]]+):(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
_EMPTY_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)

Ms = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_three_decimals)]
PositiveMs = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_three_decimals)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Servers = Annotated[str, _matching(rf"{_HOST_PORT}(\s*,\s*{_HOST_PORT})*", "HOST:PORT, or several with commas between")]
Address = Annotated[str, _matching(_HOST_PORT, "HOST:PORT")]
Name = Annotated[str, _matching(r"\S(.*\S)?", "a name without spaces around it")]
File = Annotated[Path, AfterValidator(_is_file)]
Prefix = Annotated[str, _matching(r"[a-zA-Z0-9._-]{0,200}", "at most 200 of the characters a-z A-Z 0-9 . _ -")]


class ClientOptions(TypedDict):
    """What every aiokafka client is given, whatever its part."""

    bootstrap_servers: str
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None


class Settings(BaseSettings):
    """All settings; `Settings(...)` checks and reads nothing else, `Settings.load` reads all places."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True)

    bootstrap_servers: Servers = Field(
        "localhost:9092", description="Kafka's addresses, HOST:PORT with commas between."
    )
    group: Name = Field("trivium", description="Consumer group; the topic prefix is put before it.")
    instance_id: Annotated[Name | None, _EMPTY_IS_NONE] = Field(
        None, description="Static group member, unique to this process."
    )
    topic_prefix: Prefix = Field("", description="Put before every topic's name and the group's.")
    partitions: Count = Field(8, description="Partitions of each topic, and so lanes in all.")
    create_topics: bool = Field(True, description="Create the topics that are missing.")
    bundle: Name = Field("speech", description="Bundle to run: a shipped one's name, or a directory.")
    provider: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where ONNX Runtime computes.")
    threads: Annotated[Count | None, _EMPTY_IS_NONE] = Field(
        None, description="Threads of inference; none: one for each usable core."
    )
    http: Address = Field("127.0.0.1:8383", description="Where health and metrics are served, HOST:PORT.")
    delivery: Literal["at-least-once"] = Field("at-least-once", description="What a crash may do to results.")
    commit_interval_ms: Ms = Field(100, description="At most one commit a lane in this time.")
    deadline_ms: PositiveMs = Field(200, description="Longest wait of a hop for a modality that is behind.")
    reorder_ms: Annotated[Ms, _at_most("deadline_ms")] = Field(
        0, description="How far a modality's frames may come out of order."
    )
    session_end_ms: PositiveMs = Field(30_000, description="A session that stays silent this long has ended.")
    idle_ms: Annotated[PositiveMs, _at_most("session_end_ms")] = Field(
        2_000, description="A modality that stays silent this long is no longer waited for."
    )
    max_jump_ms: PositiveMs = Field(60_000, description="A capture time further off its session is not believed.")
    max_segment_ms: PositiveMs = Field(15_000, description="Longest segment; then it is made final.")
    endpoint_ms: Annotated[PositiveMs, _at_most("max_segment_ms")] = Field(
        600, description="Trailing non-speech that makes a segment final."
    )
    max_batch: Count = Field(8, description="Most hops in one call of a model.")
    max_batch_delay_ms: Ms = Field(0, description="Longest wait of a hop for others to share its batch.")
    lane_buffer_bytes: Bytes = Field(64 * MIB, description="Most that a lane buffers.")
    session_buffer_bytes: Annotated[Bytes, _at_most("lane_buffer_bytes")] = Field(
        8 * MIB, description="Most that one session may buffer."
    )
    max_record_bytes: Annotated[Bytes, _at_most("session_buffer_bytes")] = Field(
        900_000, description="Largest value of a record; larger ones are dead letters."
    )
    max_pixels: Count = Field(4_000_000, description="Largest picture; larger ones are dead letters.")
    default_audio_type: Annotated[
        str, _matching(r"audio/L16; *rate=\d+; *channels=[12]", "audio/L16;rate=R;channels=N")
    ] = Field("audio/L16;rate=16000;channels=1", description="Content type of audio records that name none.")
    default_video_type: Literal["image/jpeg", "image/png"] = Field(
        "image/jpeg", description="Content type of video records that name none."
    )
    default_text_type: Annotated[str, _matching(r"text/plain(; *charset=utf-8)?", "text/plain;charset=utf-8")] = Field(
        "text/plain;charset=utf-8", description="Content type of text records that name none."
    )
    log_format: Literal["text", "json"] = Field("text", description="How the log is written on standard error.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to."
    )
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, _EMPTY_IS_NONE, _only_with("SASL", needed=True)
    ] = Field(None, description="How the user is proven.")
    sasl_username: Annotated[Name | None, _EMPTY_IS_NONE, _only_with("SASL", needed=True)] = Field(
        None, description="The user."
    )
    sasl_password_file: Annotated[File | None, _EMPTY_IS_NONE, _only_with("SASL", needed=True)] = Field(
        None, description="File that holds the password."
    )
    ssl_cafile: Annotated[File | None, _EMPTY_IS_NONE, _only_with("SSL", needed=False)] = Field(
        None, description="PEM file of trusted authorities; none: the system's."
    )
    ssl_certfile: Annotated[File | None, _EMPTY_IS_NONE, _only_with("SSL", needed=False)] = Field(
        None, description="PEM file of the client's certificate."
    )
    ssl_keyfile: Annotated[
        File | None, _EMPTY_IS_NONE, _only_with("SSL", needed=False), AfterValidator(_with_certificate)
    ] = Field(None, description="PEM file of the client's key.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `load` layers the places itself, so that a fault can say where it stands

    @classmethod
    def load(cls, config: Path | None = None, environ: Mapping[str, str] = os.environ, **flags: object) -> Self:
        """Read every place; a flag that is `None` was not given.

        Raises
        ------
        ConfigError
            With one line for each fault of any place: the setting, what was found where, what was expected.
        """
        layers = (file_layer(cls, config), environment_layer(environ), flag_layer(flags))
        found = [fault for layer in layers for fault in layer.faults]
        values: dict[str, Any] = {name: value for layer in layers for name, value in layer.values.items()}
        try:
            settings = cls(**values)
        except ValidationError as error:
            found += faults(error, layers, list(cls.model_fields))
        if found:
            raise ConfigError("\n".join(found))
        return settings

    def client_options(self) -> ClientOptions:
        """How to reach Kafka, for `AIOKafkaConsumer(**settings.client_options(), ...)` and its like.

        Raises
        ------
        ConfigError
            If a certificate, key or password cannot be read.
        """
        return ClientOptions(
            bootstrap_servers=self.bootstrap_servers,
            security_protocol=self.security_protocol,
            ssl_context=self._ssl_context(),
            sasl_mechanism=self.sasl_mechanism or "PLAIN",
            sasl_plain_username=self.sasl_username,
            sasl_plain_password=self._password(),
        )

    def _ssl_context(self) -> ssl.SSLContext | None:
        if "SSL" not in self.security_protocol:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            if self.ssl_certfile is not None:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        except OSError as error:
            raise ConfigError(f"ssl_cafile, ssl_certfile, ssl_keyfile: expected PEM files, found: {error}") from None
        return context

    def _password(self) -> str | None:
        if self.sasl_password_file is None:
            return None
        try:
            return self.sasl_password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"sasl_password_file: expected a readable file of text, found: {error}") from None
