"""Why Kafka refuses: who comes otherwise than it demands, or asks for what nobody granted.

    what the client raises -> [what was found and what to do] -> one line

Beside the path. The client keeps to itself why it could not connect, so it is tried once more from here.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from aiokafka import errors
from aiokafka.conn import create_conn

if TYPE_CHECKING:
    from stream.config import Settings

ADDRESS = "Start it with deploy/kafka start, or set bootstrap_servers."
BROKEN_OFF = (
    errors.KafkaConnectionError,
    ssl.SSLError,
    TimeoutError,
    ConnectionAbortedError,
    ConnectionResetError,
)
UNGRANTED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)


def is_ungranted(error: BaseException) -> bool:
    """Whether Kafka knows who asks and will not have it."""
    return isinstance(error, UNGRANTED)


def granted_by(settings: Settings) -> str:
    """What to do about it."""
    return f"grant it to {settings.sasl_username or 'this client'}, as the README's list of ACLs has it."


async def why_not_connected(settings: Settings) -> str:
    """What the first broker says to one who comes as the settings say, and what to do."""
    host, _, port = settings.bootstrap_servers.split(",")[0].strip().rpartition(":")
    options = dict(settings.client_options())
    del options["bootstrap_servers"]
    try:
        connection = await create_conn(host.strip("[]"), int(port), **options)
    except (OSError, errors.KafkaError) as error:
        return _told(error, settings)
    connection.close()
    return f"it did not answer. {ADDRESS}"


def _told(error: Exception, settings: Settings) -> str:
    if isinstance(error, errors.SaslAuthenticationFailed):
        return (
            f"it does not know {settings.sasl_username} by this password and {settings.sasl_mechanism}. "
            "Check sasl_username, sasl_password_file and sasl_mechanism."
        )
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return f"it does not take {settings.sasl_mechanism}. Set sasl_mechanism to one that it has."
    if isinstance(error, ssl.SSLCertVerificationError):
        found = error.verify_message or str(error)
        return f"its certificate is not believed ({found}). Check ssl_cafile, and the name in bootstrap_servers."
    if isinstance(error, BROKEN_OFF):
        return (
            f"it breaks off when {settings.security_protocol} is spoken. Check security_protocol and the port, "
            "and whether it wants a client's certificate (ssl_certfile, ssl_keyfile)."
        )
    return f"nothing there answers. {ADDRESS}"
