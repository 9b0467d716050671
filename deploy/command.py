"""The commands of `deploy/kafka`: standard output is for programs, everything else goes to standard error."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from deploy.broker import Broker
from deploy.jars import KAFKA_VERSION
from stream.errors import BrokerError, TriviumError

CACHE = Path(__file__).parent.parent / ".cache" / "kafka"
EXAMPLE = 'example: export "$(deploy/kafka start)"   sets KAFKA_BOOTSTRAP_SERVERS in this shell'


def start(broker: Broker, *, attached: bool) -> None:
    """Print the one line that a shell can export."""
    _print_address(broker.start(attached=attached))


def stop(broker: Broker) -> None:
    """Stop it, or be content that none runs."""
    broker.stop()


def status(broker: Broker) -> None:
    """Print the address of a broker that runs; exit code 1 if none does."""
    running = broker.running()
    if running is None:
        raise BrokerError(f"no broker runs in {broker.folder}: deploy/kafka start")
    _print_address(running.address)


def logs(broker: Broker) -> None:
    """Print the log of the broker that runs, or of the last one."""
    if not broker.log.exists():
        raise BrokerError(f"no broker ever ran in {broker.folder}: deploy/kafka start")
    sys.stdout.write(broker.log.read_text(errors="replace"))


def main() -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args()
    broker = Broker(options.folder, jars=CACHE / "jars")
    try:
        if options.command == "start":
            start(broker, attached=options.attached)
        else:
            {"stop": stop, "status": status, "logs": logs}[options.command](broker)
    except TriviumError as error:
        print(f"deploy/kafka: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _print_address(address: str) -> None:
    print(f"KAFKA_BOOTSTRAP_SERVERS={address}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy/kafka", description=f"Apache Kafka {KAFKA_VERSION}, one node, on this machine.", epilog=EXAMPLE
    )
    parser.add_argument("--folder", type=Path, default=CACHE, help="data, log and lock of this broker [.cache/kafka]")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="start it, or find the one that runs, and print its address")
    starting.add_argument("--attached", action="store_true", help="let it end with the process group that starts it")
    commands.add_parser("stop", help="stop it for certain")
    commands.add_parser("status", help="print the address of the one that runs; exit code 1 if none does")
    commands.add_parser("logs", help="print its log")
    return parser
