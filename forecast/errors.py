"""Everything that can go wrong for a user, each kind with its exit code."""


class ForecastError(Exception):
    """Base of all errors that a command reports in one message instead of a traceback."""

    exit_code = 1


class RequestError(ForecastError):
    """A question about what is not there, or a number that cannot be."""

    exit_code = 2


class ScenarioError(ForecastError):
    """A scenario that cannot be run; carries every problem found, not only the first.

    problems  texts such as ``baseline.yaml:41 segments.drones.lifetime: -2 year; must be above 0``
    """

    exit_code = 3

    def __init__(self, problems: list[str]):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class DataError(ForecastError):
    """Observed data that do not exist or do not fit the question."""

    exit_code = 3


class WriteError(ForecastError):
    """The system refused to write.

    errno  its reason; 0 if it gave none
    """

    errno = 0


class StoreError(ForecastError):
    """Results that are missing, half-written, changed or not ours."""

    exit_code = 4


class LockedError(ForecastError):
    """Another run is writing to the same folder."""

    exit_code = 5


class RealizationError(ForecastError):
    """All realizations failed; of those of which some did, the others are kept, and the exit code is the same."""

    exit_code = 6


class Interrupted(ForecastError):
    """Stopped by the user; what was finished is kept."""

    exit_code = 130
