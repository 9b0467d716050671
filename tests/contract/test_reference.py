"""REFERENCE.md says what the code does, all of it and nothing more."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from prometheus_client import Counter, Gauge, Histogram

from models.__main__ import app as models_app
from models.synthetic import main as synthetic
from stream import (
    content,
    conversation,
    event,
    events,
    forward,
    headers,
    metrics,
    pages,
    publish,
    sessions,
    topics,
    web,
)
from stream.audience import Audience
from stream.board import Row
from stream.commands import app
from stream.config import Settings
from stream.errors import ConfigError, JobError, Reason
from stream.health import Health
from stream.hop import EndReason, HopReason, Outcome
from stream.ingress import Ingress
from stream.overload import Step
from stream.sources import flag, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "REFERENCE.md"
SETTING_FLAGS = {flag(name) for name in Settings.model_fields}


@cache
def sections() -> dict[str, str]:
    """Texts by heading, without what stands under a deeper one."""
    parts = re.split(r"^#{1,3} (.+)\n", PAGE.read_text(), flags=re.MULTILINE)
    return {heading.replace("`", ""): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def rows(heading: str, table: int = 0) -> list[list[str]]:
    """The cells of one of a section's tables, without its head."""
    found = re.findall(r"^\|.+\|\n\|[-|]+\|\n((?:\|.+\|\n)+)", sections()[heading], flags=re.MULTILINE)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in found[table].splitlines()]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def first_names(heading: str, table: int = 0) -> list[str]:
    return [name for row in rows(heading, table) for name in names(row[0])]


def examples(heading: str) -> list[dict[str, Any]]:
    blocks = re.findall(r"((?:^    .+\n?)+)", sections()[heading], flags=re.MULTILINE)
    return [json.loads(block) for block in blocks]


def fields(schema: dict[str, Any], node: dict[str, Any], path: str = "") -> Iterator[str]:
    """Dotted paths of a schema's leaves: `[]` for items, `*` for any key."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if "properties" in node:
        for name, inner in node["properties"].items():
            yield from fields(schema, inner, f"{path}.{name}".lstrip("."))
    elif node.get("type") == "array":
        yield from fields(schema, node["items"], f"{path}[]")
    elif node.get("type") == "object":
        yield from fields(schema, node["additionalProperties"], f"{path}.*")
    else:
        yield path


@pytest.mark.parametrize("event_type", ["trivium.prediction.v1", "trivium.session.v1"])
def test_every_field_of_the_json_is_there(event_type: str) -> None:
    schema = publish.schemas()[event_type]
    assert sorted(first_names(event_type)) == sorted(fields(schema, schema))


def test_no_published_object_is_left_out() -> None:
    assert set(publish.schemas()) == {heading for heading in sections() if re.fullmatch(r"trivium\.\w+\.v1", heading)}


def test_the_example_prediction_is_one() -> None:
    (example,) = examples("trivium.prediction.v1")
    prediction = publish.Prediction.model_validate(example)
    assert json.loads(publish.to_json(prediction)) == example
    for result in prediction.modalities.values():
        assert result.status == result.counts.most_frequent()


def test_the_example_session_record_is_one() -> None:
    (example,) = examples("trivium.session.v1")
    assert json.loads(publish.to_json(publish.SessionRecord.model_validate(example))) == example


def test_every_topic_is_there_with_how_long_it_keeps() -> None:
    hour_ms = 3_600_000
    kept_ms = {"1 hour": hour_ms, "1 day": 24 * hour_ms, "7 days": 7 * 24 * hour_ms}
    said = {
        name: {"cleanup.policy": kept} if kept == "compacted" else {"retention.ms": str(kept_ms[kept])}
        for cell, _, _, kept in rows("Topics")
        for name in names(cell)
    }
    policies = {"compact": "compacted"}
    assert said == {
        name: {key: policies.get(value, value) for key, value in config.items() if key != "segment.bytes"}
        for name, config in topics.CONFIGS.items()
    }


def test_every_type_of_event_is_there() -> None:
    known = {headers.FRAME, headers.BOUND, headers.END}
    assert {name.encode() for name in first_names("Frames in", 1)} == known


def test_every_header_that_is_read_is_there() -> None:
    read = set(re.findall(r'"(ce_\w+|traceparent|content-type)"', Path(headers.__file__).read_text()))
    assert set(first_names("Frames in")) == read - {"ce_"}


def test_every_content_type_is_one_that_is_read() -> None:
    for name in first_names("Frames in", 2):
        content.content_type(name.replace("R", "16000").replace("N", "1").encode())
    assert set(content.IMAGES) | {content.TEXT} < set(first_names("Frames in", 2))


def test_every_header_of_a_dead_letter_is_there() -> None:
    assert set(first_names("Dead letters")) == {*forward.PLACE, *forward.WHY, forward.TRUNCATED} - {"trivium_late_ms"}


def test_every_header_of_a_late_frame_is_there() -> None:
    assert first_names("Late frames") == [*forward.PLACE, "trivium_late_ms", forward.TRUNCATED]


def test_every_reason_of_a_dead_letter_is_there() -> None:
    assert first_names("Dead letters", 1) == list(Reason)


def test_every_setting_is_there_in_order_with_its_default() -> None:
    said = {names(name)[0]: default.strip("`") for name, default, _ in rows("Settings")}
    assert list(said.items()) == [
        (name, shown(field.default) or "empty") for name, field in Settings.model_fields.items()
    ]


def test_every_choice_of_a_setting_is_there() -> None:
    for name, _, meaning in rows("Settings"):
        annotation = str(Settings.model_fields[names(name)[0]].annotation)
        choices = re.findall(r"'([^']+)'", annotation) if "Literal" in annotation else []
        assert set(choices) <= {Settings.model_fields[names(name)[0]].default, *names(meaning)}


def test_every_metric_is_there_with_its_type_and_labels() -> None:
    said = {names(name)[0]: (kind, names(labels)) for name, kind, labels, _ in rows("Metrics")}
    assert said == dict(registered())


def registered() -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Each metric of the module, by the name of its samples."""
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            kind = type(metric).__name__.lower()
            yield metric._name + ("_total" if kind == "counter" else ""), (kind, list(metric._labelnames))


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("trivium_frames_total", Outcome),
        ("trivium_hops_total", HopReason),
        ("trivium_sessions_ended_total", EndReason),
        ("trivium_degraded_total", Step),
    ],
)
def test_every_value_of_a_metrics_own_label_is_there(metric: str, values: type[Outcome]) -> None:
    (meaning,) = [row[3] for row in rows("Metrics") if names(row[0]) == [metric]]
    assert names(meaning) == list(values)


def test_every_path_of_the_pages_is_there() -> None:
    audience = Audience(Settings())
    routes = web.routes(
        Health(),
        None,
        [events.routes(audience), sessions.routes(audience), Ingress(Settings()).routes(), pages.routes()],
    )
    paths = [getattr(route, "path", "").replace("{session:path}", "{id}") for route in routes]
    assert first_names("HTTP") == paths


def test_every_event_over_a_websocket_is_there() -> None:
    frames = {headers.FRAME.decode(), headers.BOUND.decode(), headers.END.decode()}
    answers = {conversation.CLOCK, conversation.WANTED, conversation.PRESSURE, conversation.ERROR}
    assert set(first_names("Frames over a WebSocket")) == frames | answers


def test_every_field_of_a_session_that_is_shown_is_there() -> None:
    assert sorted(first_names("Sessions")) == sorted(Row("kitchen", 0).shown())


def test_every_notice_on_a_stream_is_there() -> None:
    assert {event.GAP, event.CLOSED} <= set(re.findall(r"`(trivium\.\w+\.v1)`", sections()["Events"]))


def commands() -> dict[str, Any]:
    group = typer.main.get_command(app)
    found: dict[str, Any] = group.commands  # type: ignore[attr-defined]
    return {name: command for name, command in found.items() if not command.hidden}


def section_of(command: str) -> str:
    (heading,) = [heading for heading in sections() if re.match(rf"trivium {command}\b", heading)]
    return heading


def test_every_command_is_there_and_no_other() -> None:
    said = {heading.split()[1] for heading in sections() if heading.startswith("trivium ")}
    assert said == set(commands())


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_option_of_a_command_is_there_and_no_other(command: str) -> None:
    text = sections()[section_of(command)]
    said = set(first_names(section_of(command))) if "| option |" in text else set()
    said |= set(first_names("What is heard and seen")) if "options for what is heard and seen" in text else set()
    said |= SETTING_FLAGS if "| a flag for each setting |" in text else set()
    own = {name for option in commands()[command].params for name in option.opts if name.startswith("--")}
    assert said == own - {"--help"}


def test_every_default_of_an_option_is_there() -> None:
    said: dict[str, str] = {}
    for heading in [*map(section_of, commands()), "What is heard and seen"]:
        if "| option |" in sections()[heading]:
            said |= {option: default for cell, default, _ in rows(heading) for option in names(cell)}
    for command in commands().values():
        for option in command.params:
            if option.opts[0] in said and isinstance(option.default, str | int | float) and option.default is not False:
                assert said[option.opts[0]] == f"`{option.default}`"


def test_every_option_of_the_models_commands_is_there_with_the_commands_that_take_it() -> None:
    group: Any = typer.main.get_command(models_app)
    taken = {
        (option, name)
        for name, command in group.commands.items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    said = rows("python -m models train|compare|evaluate|export TASK")
    assert {(option, name) for cell, takes, *_ in said for option in names(cell) for name in names(takes)} == taken


def test_every_option_of_the_synthetic_speaker_is_there() -> None:
    group = typer.Typer()
    group.command()(synthetic)
    own = {option for parameter in typer.main.get_command(group).params for option in parameter.opts}
    assert set(first_names("python -m models.synthetic OUT.mp4")) == {name for name in own if name.startswith("--")} - {
        "--help",
        "--install-completion",
        "--show-completion",
    }


def test_exit_codes_are_those_of_the_errors() -> None:
    codes = {row[0]: row[1] for row in rows("Commands")}
    assert list(codes) == ["0", str(JobError.exit_code), str(ConfigError.exit_code), "130"]


@pytest.mark.parametrize("script", ["deploy/install", "deploy/kafka", "deploy/demo", "tests/run"])
def test_every_script_is_there(script: str) -> None:
    assert (PAGE.parent / script).is_file()
    assert any(name.startswith(script) for name in first_names("Scripts"))
