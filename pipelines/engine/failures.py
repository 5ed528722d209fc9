"""What goes wrong on a cluster, told in one line: engines and Beam tell it in hundreds, of Java, gRPC and Python."""

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from corpus.errors import DamagedFile, UserError
from pipelines.engine.engine_log import EngineLog
from pipelines.engine.pool import PartsFailed

_USER_ERRORS = {f"{kind.__module__}.{kind.__name__}": kind for kind in (UserError, DamagedFile, PartsFailed)}
_USER_ERROR_LINE = re.compile(
    rf"\b({'|'.join(map(re.escape, _USER_ERRORS))}): (.+?)(?: \[while running '.*)?$", re.MULTILINE
)

_DETAILS = re.compile(r'details = "(.*?)"')  # of gRPC
LONGEST = 300
"""Characters of a cause that are told."""


@dataclass(frozen=True)
class Kind:
    """A kind of failure.

    Attributes:
        sign: what a report of it has.
        told: what it is and what to do. {found} is the group of that name in the sign, {lines} all that match it.
    """

    sign: re.Pattern[str]
    told: str


def _kind(sign: str, told: str) -> Kind:
    return Kind(re.compile(sign, re.DOTALL), told)


KINDS = (
    _kind(
        r"in start_worker.*StatusCode.UNAVAILABLE|ExternalEnvironmentFactory.*(?:UNAVAILABLE|Connection refused)",
        "no pool of workers answers at the address that --environment_config names: start `python -m "
        "apache_beam.runners.worker.worker_pool_main` on every node, and mend the address",
    ),
    _kind(
        r"(?:All masters are unresponsive|Failed to connect to master|Master removed our application)[^\n]*",
        "the Spark master does not answer, or has given the job up: look at its page, and mend --spark_master_url",
    ),
    _kind(
        r"InvalidClassException[^\n]*",
        "the cluster's Spark is not the one in the job server's jar: run the version of the jar exactly (3.5.0 and "
        "3.5.9 do not understand each other; `corpus doctor` says which is which)",
    ),
    _kind(
        r"Cannot run program \"(?P<found>[^\"]*)\"",
        "a worker cannot start {found}, which --environment_config names: install it on every node, or mend the path",
    ),
    _kind(
        r"(?:Can't get attribute|No module named|cannot import name) ['\"](?P<found>[^'\"]+)",
        "the workers' Python does not have {found}, which this machine has: install the same corpus, with the same "
        "libraries, in it",
    ),
    _kind(
        r"DefaultCredentialsError|NoCredentialsError|Unable to locate credentials|could not be authenticated",
        "there are no credentials for the object store or the cloud: set $AWS_ACCESS_KEY_ID and "
        "$AWS_SECRET_ACCESS_KEY, or run `gcloud auth application-default login`, here and on every worker",
    ),
    _kind(
        r"AccessDenied|Access Denied|HttpForbiddenError|<\[?403|status code 403|Forbidden",
        "a bucket or a service refuses these credentials (403): give them the right to read and write what the job "
        "names",
    ),
    _kind(
        r"(?:Missing required option|Invalid [^\n:]*(?:option|value))[^\n]*",
        "Beam refuses the options ({lines}): give each with --beam-option=--NAME=VALUE",
    ),
    _kind(
        r"OutOfMemoryError|exit(?:ed with)? (?:code|status) 137|Container killed by YARN for exceeding",
        "a process of the engine ran out of memory: give the executors more, or fewer cores each",
    ),
    _kind(
        r"ExecutorLostFailure|Lost executor|Could not find TaskExecutor|TaskManager .* (?:lost|no longer reachable)",
        "a worker of the cluster was lost, and the engine gave the job up: run the same command again to do what is "
        "missing",
    ),
    _kind(
        r"NoRestartBackoffTimeStrategy|NoResourceAvailableException",
        "Flink gave the job up at its first failure, or has no free slot: set `restart-strategy.type` of the cluster, "
        "and give it slots for --parallelism",
    ),
    _kind(
        r"StatusCode.UNAVAILABLE|Connection reset by peer|Socket closed",
        "the connection to the job server was lost, since it ended: run the same command again to do what is missing",
    ),
)
"""In this order: the first whose sign is found tells it."""


def user_error(trace: str) -> UserError | None:
    """The user's mistake that a report ends in, without the name of Beam's step."""
    found = _USER_ERROR_LINE.findall(trace)
    return _USER_ERRORS[found[-1][0]](found[-1][1]) if found else None


def told(message: str, trace: str, output: str = "") -> str:
    """A report of an engine or of Beam in one line.

    Args:
        message: of the exception that Beam raised.
        trace: its whole report.
        output: what the job server has said since the job began: looked at where the report is of no known kind.
    """
    for text in (trace, output):
        for kind in KINDS:
            found = kind.sign.search(text)
            if found:
                lines = (match[0].strip() for match in kind.sign.finditer(text))
                return kind.told.format(found=found.groupdict().get("found"), lines="; ".join(dict.fromkeys(lines)))
    first = re.sub(r"^Pipeline \S+ failed in state \w+: ", "", message.strip()).splitlines() or ["no reason given"]
    return (_DETAILS.findall(trace) or first)[0].strip()[:LONGEST]


@contextmanager
def in_one_line(name: str, log: EngineLog) -> Iterator[None]:
    """Around all that an engine does for a runner.

    Raises:
        UserError: for whatever is raised inside; the whole report is in the log, which the line names.
    """
    begin = os.path.getsize(log.path)
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        with open(log.path, "rb") as file:
            file.seek(begin)
            output = file.read().decode(errors="replace")
        trace = "".join(traceback.format_exception(error))
        log.write(trace)
        mistake = user_error(trace)
        if mistake is None:
            mistake = UserError(f"{name}: {told(str(error), trace, output)} (whole report: {log.path})")
        raise mistake from None
