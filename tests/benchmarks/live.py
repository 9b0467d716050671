"""One live camera session at real-time speed: how soon words are shown, how many are taken back, how soon finals come.

`trivium serve` runs; `trivium replay --join --speed 1` plays clips as one session, 1 to 3 s of room noise between two,
with no end record between. All times are of one clock: the pictures and sound are stamped with this machine's time, a
word's end is the session's start + the clip's place in it + the word's end in the clip, and a result has come at its
`published_ms`, the moment before the service hands it to Kafka.

word_p50_ms, word_p95_ms
    From the end of a word to the first interim that holds it and keeps it until the final. An interim holds a word of
    the final if an alignment (longest common subsequence) of the two pairs it. A word that only the final holds counts
    with the final; one that was said and is in no final has no such moment: how many these are stands beside.
changed_per_final_word
    Words that one version of a segment shows and the next does not, over the words of all finals.
final_p99_ms
    From the end of the hop in which the endpoint's wait ran out until the final has come. That is the first hop whose
    end lies the encoders' right context, or more, after the final's `end_ms`; where the session's end closed the
    segment, it is the session's last hop, whose end the final's `end_ms` is. `finals_within_300_ms` is the same from
    the service's own metric, `final_latency_seconds`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.bundle import Bundle, load
from stream.publish import Prediction, SessionRecord
from stream.scene import Scene, takes
from stream.times import NS_PER_MS, NS_PER_SECOND
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.captions import Said, changed, said, turns
from tests.benchmarks.processes import TRIVIUM, Service, Stage, running, serving, stage
from tests.benchmarks.report import benchmark_parser, percentile, progress, report, spread

GAP_MS = (1000, 3000)
GRACE_SECONDS = 60.0
BARS = {"word_p50_ms": 500.0, "word_p95_ms": 900.0, "changed_per_final_word": 0.3, "final_p99_ms": 300.0}


@dataclass(frozen=True)
class Run:
    """What one session came to."""

    said_words: int
    final_words: int
    changed_words: int
    words: tuple[Said, ...]
    final_latencies_ms: tuple[float, ...]


def main() -> None:
    """Play, watch, report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--runs", type=int, default=3, help="sessions, one after another")
    parser.add_argument("--clips", type=int, default=20, help="of each session")
    given = parser.parse_args()
    with stage() as found, serving(found) as service:
        bundle = load(found.settings().bundle)
        runs = [played(found, service, bundle, number, given.clips) for number in range(given.runs)]
        metrics = service.metrics()
        report("live", {**figures(runs), "finals_within_300_ms": _within(metrics), "clips": clips.source()})


def played(found: Stage, service: Service, bundle: Bundle, number: int, count: int) -> Run:
    """Play one session and watch it."""
    chosen = clips.take(count, found.folder, number * count)
    scene = Scene(gap_ms=GAP_MS, seed=number)
    laid = takes([clip.path for clip in chosen], scene)
    words = [
        clips.Word(word.word, take.start_ns / NS_PER_SECOND + word.start_s, take.start_ns / NS_PER_SECOND + word.end_s)
        for take, clip in zip(laid, chosen, strict=True)
        for word in clip.words
    ]
    name = f"live-{number + 1}"
    options = ["--join", "--session", name, "--gap-ms", "{}-{}".format(*GAP_MS), "--seed", str(number)]
    command = [*TRIVIUM, "replay", *options, *(str(clip.path) for clip in chosen)]
    length_seconds = laid[-1].end_ns / NS_PER_SECOND
    progress(f"{name}: {count} clips, {length_seconds:.0f} s")
    with running(found, command, f"{name}.log"):
        results, start_ms, end_ms = asyncio.run(_watched(found, service, name, length_seconds + GRACE_SECONDS))
    run = _run(results, words, start_ms, end_ms, bundle)
    progress(f"{name}: {_figures([run])}")
    return run


def figures(runs: Sequence[Run]) -> dict[str, object]:
    """The figures over all runs, how far the runs lie apart, and what they rest on."""
    values = _figures(runs)
    apart = {name: spread([_figures([run])[name] for run in runs]) for name in values}
    words = [word for run in runs for word in run.words]
    return {
        **{name: round(value, 3) for name, value in values.items()},
        "bars": BARS,
        "passes": {name: values[name] <= bar for name, bar in BARS.items()},
        "spread": apart,
        "sessions": len(runs),
        "finals": sum(len(run.final_latencies_ms) for run in runs),
        "words_said": sum(run.said_words for run in runs),
        "words_in_finals": sum(run.final_words for run in runs),
        "words_measured": len(words),
        "words_only_in_finals": sum(not word.in_interim for word in words),
    }


def _figures(runs: Sequence[Run]) -> dict[str, float]:
    words_ms = [word.latency_ms for run in runs for word in run.words]
    finals_ms = [latency_ms for run in runs for latency_ms in run.final_latencies_ms]
    if not words_ms or not finals_ms:
        raise ValueError("No word that was said is in a final, expected most of them: look at the bundle.")
    return {
        "word_p50_ms": percentile(words_ms, 0.5),
        "word_p95_ms": percentile(words_ms, 0.95),
        "changed_per_final_word": sum(run.changed_words for run in runs) / sum(run.final_words for run in runs),
        "final_p50_ms": percentile(finals_ms, 0.5),
        "final_p99_ms": percentile(finals_ms, 0.99),
    }


async def _watched(
    found: Stage, service: Service, session: str, timeout_seconds: float
) -> tuple[list[Prediction], float, float]:
    """All results of a session, and when it started and ended."""
    results: list[Prediction] = []
    start_ms = math.nan
    async with asyncio.timeout(timeout_seconds), following(found.settings(), from_beginning=True) as news:
        async for message in news:
            service.check()
            if message.session != session:
                continue
            if isinstance(message, Prediction):
                results.append(message)
            elif message.state == "started":
                start_ms = message.start_ms
            else:
                return results, start_ms, _end_ms(message)
    raise RuntimeError(f"The results ended before session {session} did; expected its end record.")


def _end_ms(ended: SessionRecord) -> float:
    return math.nan if ended.end_ms is None else ended.end_ms


def _run(
    results: Sequence[Prediction], words: Sequence[clips.Word], start_ms: float, end_ms: float, bundle: Bundle
) -> Run:
    shown = turns(results)
    return Run(
        said_words=len(words),
        final_words=sum(len(turn.final.words) for turn in shown),
        changed_words=changed(shown),
        words=tuple(said(shown, words, start_ms)),
        final_latencies_ms=tuple(
            turn.final.times.published_ms - due_ms(turn.final.end_ms, end_ms, bundle) for turn in shown
        ),
    )


def due_ms(final_end_ms: float, session_end_ms: float, bundle: Bundle) -> float:
    """The end of the hop in which the endpoint's wait ran out, or of the last hop that the session's end closed."""
    hop_ms = bundle.hop_ns / NS_PER_MS
    if final_end_ms % hop_ms == 0 and final_end_ms >= session_end_ms:
        return final_end_ms
    right_ms = bundle.right_ticks * bundle.tick_ns / NS_PER_MS
    return math.ceil((final_end_ms + right_ms) / hop_ms) * hop_ms


def _within(metrics: dict[str, float]) -> float:
    name = "trivium_final_latency_seconds"
    return round(metrics[f"{name}_bucket{{le=0.3}}"] / metrics[f"{name}_count"], 4)


if __name__ == "__main__":
    main()
