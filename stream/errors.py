"""Everything that Trivium raises on purpose.

TriviumError
  ConfigError         settings or usage are wrong            exit code 2
    BundleError       a bundle differs from its manifest     exit code 2
    ProviderError     the provider asked for cannot be used  exit code 2
  JobError            the job failed                         exit code 1
    BrokerError       Kafka is away or is set up otherwise   exit code 1
    InferenceError    a model failed on valid input          exit code 1
  RecordError         one record cannot be read: it goes to the dead-letter topic

A late frame, a silent modality or a full buffer is no error but an outcome that is counted.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a record is a dead letter: a closed set."""

    NO_KEY = "no_key"
    BAD_KEY = "bad_key"
    UNKNOWN_TYPE = "unknown_type"
    BAD_HEADER = "bad_header"
    BAD_TIME = "bad_time"
    BAD_LENGTH = "bad_length"
    BAD_MEDIA = "bad_media"
    BAD_TEXT = "bad_text"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    OVERFLOW = "overflow"


class TriviumError(Exception):
    """The root: its text is one line that says what was found, what was expected, what to do."""

    exit_code = 1


class ConfigError(TriviumError):
    """Settings, arguments or files that the operator can mend before starting again."""

    exit_code = 2


class BundleError(ConfigError):
    """A bundle's file, shape or golden vector is not what its manifest says."""


class ProviderError(ConfigError):
    """The ONNX Runtime provider asked for is not there or does not run the bundle."""


class JobError(TriviumError):
    """The job was understood and could not be done."""


class BrokerError(JobError):
    """Kafka does not answer, or its topics are not as the settings say."""


class InferenceError(JobError):
    """A model failed on input that had passed every check: the process stops and recovers at its restart."""


class RecordError(TriviumError):
    """A record that cannot be read.

    Attributes
    ----------
    reason : Reason
        The closed-set word that goes into `trivium_reason` and into the metric.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
