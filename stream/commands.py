"""The commands of `trivium` and their usage; each command's work is in its own module, loaded when it is asked for."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from stream.bar import bar
from stream.config import Settings
from stream.errors import ConfigError
from stream.options import CONFIG, takes_settings
from stream.scene import Scene
from stream.scene_options import takes_scene

Clips = Annotated[list[Path], typer.Argument(metavar="CLIP", help="Media files, of any format that PyAV reads.")]
SettingsFile = Annotated[Path | None, CONFIG]
Session = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the session.", show_default="the file's stem")
]
Join = Annotated[bool, typer.Option("--join", help="One session of all clips, one after another.")]
Json = Annotated[bool, typer.Option("--json", help="One result a line on standard output, and nothing else.")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def trivium(context: typer.Context) -> None:
    """Live captions from text, audio and video frames on Kafka.

    Start with: trivium demo
    """
    if context.invoked_subcommand != "serve":  # what goes wrong is told once, in one line
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@app.command()
def demo(
    clips: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CLIP", help="Media files.", show_default="the synthetic speaker"),
    ] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave broker and service running.")] = False,
    config: SettingsFile = None,
) -> None:
    """Do the main job on this machine: broker, service, a clip, live captions, a summary.

    Example: trivium demo holiday.mp4
    """
    from stream.demo import demo as run

    settings = Settings.load(config)
    asyncio.run(run(settings, clips or [], _hop_ns(settings), keep=keep, config=config))


@app.command()
@takes_settings
def serve(settings: Settings) -> None:
    """Run the service until it is told to stop by SIGTERM or Ctrl-C.

    Example: trivium serve --bootstrap-servers kafka:9092 --http 0.0.0.0:8383 --http-token-file token
    """
    from stream.service import serve as run

    asyncio.run(run(settings))


@app.command()
@takes_settings
def check(settings: Settings) -> None:
    """Report whether the service could start here, and what the models cost on the provider.

    Example: trivium check --provider cuda
    """
    from stream.check import check as run

    asyncio.run(run(settings))


@app.command()
@takes_scene
def replay(
    scene: Scene,
    clips: Clips,
    *,
    speed: Annotated[float, typer.Option(min=0, metavar="X", help="Times real time; 0: as fast as possible.")] = 1.0,
    session: Session = None,
    sessions: Annotated[int, typer.Option(min=1, metavar="N", help="Play each session so many times at once.")] = 1,
    join: Join = False,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stamp from here on (RFC 3339).", show_default="now")
    ] = None,
    config: SettingsFile = None,
) -> None:
    """Play media files into the topics as live sessions, one session a clip, all at once.

    Example: trivium replay talk.mp4 --snr-db 0 --noise babble
    """
    from stream.replay import sources
    from stream.send import Pace, play

    settings = Settings.load(config)
    played = sources(clips, scene, session=session, copies=sessions, join=join)
    pace = Pace(_hop_ns(settings), speed, None if start is None else _time_ns(start))
    longest_ns = max(source.length_ns for source in played)
    with bar("sent", longest_ns) as sent:
        count = asyncio.run(play(settings, played, scene, pace, sent))
    names = [name for source in played for name in source.sessions]
    print(f"Sent {count} records of {len(names)} sessions.", file=sys.stderr)


@app.command()
@takes_scene
def recognize(
    scene: Scene,
    clips: Clips,
    *,
    json: Json = False,
    interims: Annotated[bool, typer.Option("--interims", help="Also what may still change.")] = False,
    session: Session = None,
    join: Join = False,
    config: SettingsFile = None,
) -> None:
    """Recognise media files in one process without a broker: what replay and serve would give.

    Example: trivium recognize talk.mp4 --json
    """
    from stream.publish import Prediction, SessionRecord
    from stream.recognize import recognize as run
    from stream.replay import sources
    from stream.view import Captions, JsonLines

    played = sources(clips, scene, session=session, join=join)
    settings = Settings.load(config)
    with JsonLines() if json else Captions(live=False) as view:

        def show(message: Prediction | SessionRecord) -> None:
            if isinstance(message, Prediction) and (message.is_final or interims):
                view.show(message)

        with bar("recognised", sum(source.length_ns for source in played), hidden=not json) as done:
            asyncio.run(run(settings, played, scene, show, done))


@app.command()
def watch(
    *,
    json: Json = False,
    vtt: Annotated[bool, typer.Option("--vtt", help="Finals as WebVTT on standard output.")] = False,
    final: Annotated[bool, typer.Option("--final", help="Finals only.")] = False,
    session: Annotated[str | None, typer.Option(metavar="NAME", help="Only this session.")] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Of a running service, in place of Kafka: http://localhost:8383.")
    ] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="First all that the topic holds.")] = False,
    until_ended: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop once so many sessions have ended.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Fail if they have not ended by then.")
    ] = None,
    config: SettingsFile = None,
) -> None:
    """Follow predictions from now on.

    Example: trivium watch --final --json --until-ended 8 --timeout 60
    """
    from stream.view import Captions, JsonLines, WebVtt
    from stream.watch import Wanted
    from stream.watch import watch as run

    if json and vtt:
        raise ConfigError("--json and --vtt were both given: give one, standard output holds one of them.")
    if timeout is not None and until_ended is None:
        raise ConfigError("--timeout was given without --until-ended: say how many sessions are to end by then.")
    settings = Settings.load(config)
    wanted = Wanted(session, url, final, from_beginning, until_ended, timeout)
    with JsonLines() if json else WebVtt() if vtt else Captions() as view:
        asyncio.run(run(settings, wanted, view))


@app.command()
def schema() -> None:
    """Print the JSON Schemas of what is published, by their ce_type.

    Example: trivium schema > schemas.json
    """
    import orjson

    from stream.publish import schemas

    print(orjson.dumps(schemas(), option=orjson.OPT_INDENT_2).decode())


def _time_ns(text: str) -> int:
    from stream.times import parse_rfc3339

    try:
        return parse_rfc3339(text.encode())
    except ValueError as error:
        raise ConfigError(f"--start is '{text}' ({error}): expected RFC 3339, like 2026-03-01T12:00:00Z.") from error


def _hop_ns(settings: Settings) -> int:
    from models.bundle import load

    return load(settings.bundle).hop_ns
