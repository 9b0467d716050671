"""Settings: each named once, read from four places, checked whole before anything starts.

Later places win: defaults, `trivium.toml` (or `--config FILE`), `TRIVIUM_NAME` in the environment, `--name` flags.
Knows nothing of bundles, lanes or the broker's state; `options.py` turns the fields into flags.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypedDict

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stream.content import TEXT
from stream.errors import ConfigError
from stream.fields import (
    EMPTY_IS_NONE,
    NEEDED_BEYOND_LOOPBACK,
    Address,
    AudioType,
    Bytes,
    Count,
    File,
    Hosts,
    Ms,
    Name,
    PositiveMs,
    Prefix,
    Servers,
    TextType,
    VideoType,
    at_most,
    only_with,
    with_certificate,
)
from stream.sources import environment_layer, faults, file_layer, flag_layer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MIB = 1 << 20
WITH_SSL_CERTIFICATE = with_certificate("ssl_certfile", "ssl_keyfile")


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
    instance_id: Annotated[Name | None, EMPTY_IS_NONE] = Field(
        None, description="Static group member, unique to this process."
    )
    topic_prefix: Prefix = Field("", description="Put before every topic's name and the group's.")
    partitions: Count = Field(8, description="Partitions of each topic, and so lanes in all.")
    create_topics: bool = Field(True, description="Create the topics that are missing.")
    bundle: Name = Field("speech", description="Bundle to run: a shipped one's name, or a directory.")
    provider: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where ONNX Runtime computes.")
    threads: Annotated[Count | None, EMPTY_IS_NONE] = Field(
        None, description="Threads of inference; none: one for each usable core."
    )
    decoders: Annotated[int | None, Field(ge=0), EMPTY_IS_NONE] = Field(
        None, description="Processes that decode pictures; none: one for each usable core, 0: threads do."
    )
    http: Address = Field("127.0.0.1:8383", description="Where pages, events and metrics are served, HOST:PORT.")
    http_token_file: Annotated[File | None, EMPTY_IS_NONE, NEEDED_BEYOND_LOOPBACK] = Field(
        None, description="File that holds the token for pages and events."
    )
    http_hosts: Hosts = Field("", description="Further names under which it is reached, with commas between.")
    http_certfile: Annotated[File | None, EMPTY_IS_NONE] = Field(
        None, description="PEM file of the pages' certificate; none: plain HTTP."
    )
    http_keyfile: Annotated[File | None, EMPTY_IS_NONE, with_certificate("http_certfile", "http_keyfile")] = Field(
        None, description="PEM file of that certificate's key."
    )
    events_clients: Count = Field(1_000, description="Most readers of events at once.")
    events_readers: Count = Field(4, description="Kafka readers shared by those who resume from long ago.")
    events_buffer_bytes: Bytes = Field(
        32 * MIB, description="Recent events kept in memory; a reader further behind is closed."
    )
    delivery: Literal["exactly-once", "at-least-once"] = Field(
        "exactly-once", description="What a crash may do to finals; the second is for brokers without transactions."
    )
    commit_interval_ms: Ms = Field(100, description="At most one commit a lane in this time.")
    deadline_ms: PositiveMs = Field(200, description="Longest wait of a hop for a modality that is behind.")
    reorder_ms: Annotated[Ms, at_most("deadline_ms")] = Field(
        0, description="How far a modality's frames may come out of order."
    )
    session_end_ms: PositiveMs = Field(30_000, description="A session that stays silent this long has ended.")
    idle_ms: Annotated[PositiveMs, at_most("session_end_ms")] = Field(
        2_000, description="A modality that stays silent this long is no longer waited for."
    )
    max_jump_ms: PositiveMs = Field(60_000, description="A capture time further off its session is not believed.")
    max_segment_ms: PositiveMs = Field(15_000, description="Longest segment; then it is made final.")
    endpoint_ms: Annotated[PositiveMs, at_most("max_segment_ms", strictly=True)] = Field(
        600, description="Trailing non-speech that makes a segment final."
    )
    max_batch: Count = Field(8, description="Most hops in one call of a model.")
    max_batch_delay_ms: Ms = Field(0, description="Longest wait of a hop for others to share its batch.")
    lane_buffer_bytes: Bytes = Field(64 * MIB, description="Most that a lane buffers.")
    session_buffer_bytes: Annotated[Bytes, at_most("lane_buffer_bytes")] = Field(
        8 * MIB, description="Most that one session may buffer."
    )
    max_record_bytes: Annotated[Bytes, at_most("session_buffer_bytes")] = Field(
        900_000, description="Largest value of a record; larger ones are dead letters."
    )
    max_pixels: Count = Field(4_000_000, description="Largest picture; larger ones are dead letters.")
    max_sources: Count = Field(32, description="Pages that may send frames to this process at once.")
    source_frames_per_second: Count = Field(200, description="Messages that one page may send in a second.")
    source_bytes_per_second: Bytes = Field(4 * MIB, description="Bytes that one page may send in a second.")
    default_audio_type: AudioType = Field(
        "audio/L16;rate=16000;channels=1", description="Content type of audio records that name none."
    )
    default_video_type: VideoType = Field("image/jpeg", description="Content type of video records that name none.")
    default_text_type: TextType = Field(TEXT, description="Content type of text records that name none.")
    log_format: Literal["text", "json"] = Field("text", description="How the log is written on standard error.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to."
    )
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, EMPTY_IS_NONE, only_with("SASL", needed=True)
    ] = Field(None, description="How the user is proven.")
    sasl_username: Annotated[Name | None, EMPTY_IS_NONE, only_with("SASL", needed=True)] = Field(
        None, description="The user."
    )
    sasl_password_file: Annotated[File | None, EMPTY_IS_NONE, only_with("SASL", needed=True)] = Field(
        None, description="File that holds the password."
    )
    ssl_cafile: Annotated[File | None, EMPTY_IS_NONE, only_with("SSL", needed=False)] = Field(
        None, description="PEM file of trusted authorities; none: the system's."
    )
    ssl_certfile: Annotated[File | None, EMPTY_IS_NONE, only_with("SSL", needed=False)] = Field(
        None, description="PEM file of the client's certificate."
    )
    ssl_keyfile: Annotated[File | None, EMPTY_IS_NONE, only_with("SSL", needed=False), WITH_SSL_CERTIFICATE] = Field(
        None, description="PEM file of the client's key."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read no place unasked: `load` layers them, so that a fault can say where it stands."""
        return (init_settings,)

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
