"""The error family: one class per thing that a person must fix, each docstring names the remedy.

    StreamRecError                  anything that a person must fix
        SettingsError               a setting is unknown or wrong
        FileProblem                 a file is not what it should be
        BrokerUnavailable           no broker answers
            LoginRefused            the broker does not let us in, or is not trusted
            TokenUnavailable        the OIDC provider gives no token to log in with
        TopicMismatch               topics are missing or set otherwise
            NotAllowed              this user lacks permissions
        TopicsInUse                 topics that must be empty hold records
        NotAtRest                   a pipeline runs that must have stopped
        AlreadyRunning              another process has this instance id or data directory
        TargetUnavailable           a sink's Redis or PostgreSQL does not answer
        Superseded                  another process has claimed a partition that this one has
        OffsetsOutOfRange           records are asked for where there are none
        DeliveryFailed              the broker did not acknowledge records
        UnreadableRecords           a compression codec's library is missing
        RegistryUnavailable         the schema registry does not answer as one
            RegistryRefused         it does not let us in, or is not trusted
        EncoderUnavailable          the text encoder does not load or work
        DimensionMismatch           a vector has another length than its space
        StateVersionError           stored bytes have a version that this program does not read
            NewerVersion            a newer program wrote them
        ClockOff                    this machine's clock and the broker's are far apart

Bad input is not here: it is data (``Rejection``), goes to the ``rejected`` topic and stops nothing.
"""


class StreamRecError(Exception):
    """Base of every error that a person must fix. ``exit_code`` is what the command line ends with."""

    exit_code = 2


class SettingsError(StreamRecError):
    """A setting is unknown or has a wrong value: correct it where the message says it was set."""


class FileProblem(StreamRecError):
    """A file cannot be read as what it should be: give a file that exists and has the expected form."""


class BrokerUnavailable(StreamRecError):
    """No Kafka broker answers: start one (`stream-rec broker start`) or set ``KAFKA_BOOTSTRAP``."""

    exit_code = 75


class LoginRefused(BrokerUnavailable):
    """The broker does not let us in, or is not trusted: correct the ``[kafka]`` setting that the message names."""

    exit_code = 2


class TokenUnavailable(BrokerUnavailable):
    """The OIDC provider does not answer: see that it is up, that ``oauth_token_url`` names it, and the way there."""


class TopicMismatch(StreamRecError):
    """Topics are missing or differ from ``topics/``: run `stream-rec topics create`, or correct what differs."""

    exit_code = 1


class NotAllowed(TopicMismatch):
    """The broker does not let this user do what a command needs: grant the permissions that the message names."""


class TopicsInUse(StreamRecError):
    """Topics that must be empty hold records: use another ``kafka.topic_prefix``, or delete and create them anew."""

    exit_code = 1


class NotAtRest(StreamRecError):
    """A pipeline runs, or has not done all its work yet: let its workers finish, then stop them."""

    exit_code = 1


class AlreadyRunning(StreamRecError):
    """Another live process holds this instance id or data directory: stop it, or use another id."""


class TargetUnavailable(StreamRecError):
    """A sink's Redis or PostgreSQL does not do what it is asked: start it, or correct ``[sink]``."""

    exit_code = 75


class Superseded(StreamRecError):
    """Another process has claimed a partition that this one thinks is its own: see that no two have one instance id."""

    exit_code = 1


class OffsetsOutOfRange(StreamRecError):
    """Records are asked for at offsets, or in partitions, that a topic does not have: the message says what it has."""


class DeliveryFailed(StreamRecError):
    """The broker did not acknowledge records: the message says how many and why; send them again."""

    exit_code = 1


class UnreadableRecords(StreamRecError):
    """Records are compressed with a codec that this installation cannot read: install what the message names."""


class RegistryUnavailable(StreamRecError):
    """The schema registry does not answer as one: start it, or correct ``[registry]`` url. No record was skipped."""

    exit_code = 75


class RegistryRefused(RegistryUnavailable):
    """The schema registry does not let us in, or is not trusted: correct the ``[registry]`` setting that is named."""

    exit_code = 2


class EncoderUnavailable(StreamRecError):
    """The text encoder cannot be loaded, or fails for every text.

    Install the extra that the message names, give a model path, see that the device works, or use ``hashing``.
    """


class DimensionMismatch(StreamRecError):
    """A vector has another length than its space: one encoder name and revision must mean one length."""


class StateVersionError(StreamRecError):
    """Stored bytes have a version this program does not read: run a program at least as new as the writer."""


class NewerVersion(StateVersionError):
    """Stored bytes are a newer program's: update this one. It ends instead of guessing at them, and lost nothing."""


class ClockOff(StreamRecError):
    """This machine's clock and the broker's are far apart: set the one that is wrong."""

    exit_code = 1
