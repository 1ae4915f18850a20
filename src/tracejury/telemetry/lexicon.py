"""Words that errors are made of: what names a timeout, a cancellation, or nothing at all.

Every regular expression here is understood by Python and by RE2, and is matched without regard to
case; `search` finds it anywhere, `full match` wants the whole of the trimmed text.
"""

import re
from typing import Final

# Class names without their module, and codes, that say: who waited gave up.
TIMEOUT_TYPES: Final = frozenset(
    {
        # Python
        "APITimeoutError",
        "AMQPHeartbeatTimeout",
        "ConnectTimeout",
        "ConnectTimeoutError",
        "ConnectionBlockedTimeout",
        "ConnectionTimeout",
        "ConnectionTimeoutError",
        "DeadlineExceeded",
        "ExecutionTimeout",
        "GatewayTimeout",
        "GatewayTimeoutError",
        "IdleInTransactionSessionTimeout",
        "IdleSessionTimeout",
        "JobTimeoutException",
        "KafkaTimeoutError",
        "NetworkTimeout",
        "PoolTimeout",
        "ReadTimeout",
        "ReadTimeoutError",
        "RequestTimedOutError",
        "RequestTimeoutError",
        "ServerSelectionTimeoutError",
        "ServerTimeoutError",
        "SocketTimeoutError",
        "SoftTimeLimitExceeded",
        "TimeLimitExceeded",
        "Timeout",
        "TimeoutError",
        "TimeoutException",
        "TimeoutExpired",
        "TransactionTimeout",
        "WTimeoutError",
        "WaitQueueTimeoutError",
        "WriteTimeout",
        # Java, .NET
        "ApiCallAttemptTimeoutException",
        "ApiCallTimeoutException",
        "ConnectTimeoutException",
        "HttpConnectTimeoutException",
        "HttpTimeoutException",
        "ReadTimeoutException",
        "SQLTimeoutException",
        "SocketTimeoutException",
        "TimeoutRejectedException",
        "WriteTimeoutException",
        # Go, Node, Ruby, Rust
        "deadlineExceededError",
        "Elapsed",
        "ESOCKETTIMEDOUT",
        "ETIMEDOUT",
        "OpenTimeout",
        "UND_ERR_BODY_TIMEOUT",
        "UND_ERR_CONNECT_TIMEOUT",
        "UND_ERR_HEADERS_TIMEOUT",
        # Codes, and the word itself
        "408",
        "504",
        "524",
        "57014",
        "598",
        "DEADLINE_EXCEEDED",
        "MaxTimeMSExpired",
        "timeout",
    }
)

# The name says timeout and the thing is none: a setting, a format, a state.
NOT_TIMEOUT_TYPES: Final = frozenset(
    {
        "DequeueTimeout",
        "InvalidSessionTimeoutError",
        "InvalidTransactionTimeoutError",
        "TimeoutFormatError",
        "TimeoutStateError",
    }
)

# Of the timeouts, the limits of a whole job: they end whatever the job was waiting for.
JOB_LIMIT_TYPES: Final = frozenset(
    {"JobTimeoutException", "SoftTimeLimitExceeded", "TimeLimitExceeded"}
)

# Someone called the work off; whether because of a timeout, only the message can tell.
CANCELLATION_TYPES: Final = frozenset(
    {
        "499",
        "AbortError",
        "CANCELLED",
        "CancellationException",
        "CancelledError",
        "ERR_CANCELED",
        "JobCancellationException",
        "OperationCanceledException",
        "TaskCanceledException",
        "canceledError",
    }
)

# Nobody was there to answer.
CONNECTION_TYPES: Final = frozenset(
    {
        "ConnectError",
        "ConnectException",
        "ConnectionError",
        "ConnectionRefusedError",
        "ClientConnectorError",
        "ECONNREFUSED",
        "EHOSTUNREACH",
        "ENOTFOUND",
        "NameResolutionError",
        "NewConnectionError",
        "UnknownHostException",
        "gaierror",
    }
)

# A circuit breaker refused the call.
BREAKER_TYPES: Final = frozenset(
    {
        "BrokenCircuitException",
        "CallNotPermittedException",
        "CircuitBreakerError",
        "CircuitBreakerOpenException",
        "EOPENBREAKER",
        "HystrixRuntimeException",
    }
)

# Every attempt was used up.
EXHAUSTION_TYPES: Final = frozenset(
    {"MaxRetriesExceededError", "MaxRetryError", "RetryError", "RetryExhaustedException"}
)

# Types that say no more than that there was an error.
GENERIC_TYPES: Final = frozenset(
    {
        "",
        "_OTHER",
        "BaseException",
        "ERROR",
        "Error",
        "Exception",
        "RuntimeError",
        "RuntimeException",
        "StandardError",
        "Throwable",
        "UNKNOWN",
        "error",
        "errorString",
        "unknown",
        "wrapError",
    }
)

# Types that leave open what happened: with them, any message of a timeout decides.
OPEN_TYPES: Final = frozenset(
    {
        "AxiosError",
        "ClientError",
        "CompletionException",
        "DatabaseError",
        "ECONNABORTED",
        "ExecutionException",
        "FetchError",
        "HTTPException",
        "HttpRequestException",
        "IOError",
        "IOException",
        "InterfaceError",
        "OSError",
        "OpError",
        "OperationalError",
        "ProcessingException",
        "QueryCanceled",
        "QueryCanceledError",
        "RequestError",
        "RequestException",
        "ResourceAccessException",
        "RpcError",
        "SQLException",
        "SocketException",
        "StatusRuntimeException",
        "TransportError",
        "URLError",
        "UncheckedIOException",
        "WebException",
        "_InactiveRpcError",
        "_MultiThreadedRendezvous",
        *GENERIC_TYPES,
        *CANCELLATION_TYPES,
        *CONNECTION_TYPES,
        *EXHAUSTION_TYPES,
    }
)

# Who waited got no connection of its own pool.
POOL_TYPES: Final = frozenset({"PoolTimeout", "WaitQueueTimeoutError"})

# A database refused to wait for a lock any longer; it answered.
LOCK_TYPES: Final = frozenset({"1205", "55P03", "LockNotAvailable", "LockNotAvailableError"})

# search
TIMEOUT_MESSAGE: Final = re.compile(
    r"timed?[ -]?out|deadline exceeded|time limit exceeded|canceling statement due to"
    r" (statement|lock) timeout",
    re.IGNORECASE,
)
# search: what says of the call itself, whatever its type, that it timed out
CALL_MESSAGE: Final = re.compile(
    r"\b(request|read|write|response|call|operation|query|statement|socket)\b.{0,40}\btimed? ?out"
    r"|\btimed out (after|waiting)\b|\btimeout of \d",
    re.IGNORECASE,
)
# search, in the messages of timeouts: what was waited for, where it is not the answer
CONNECT_MESSAGE: Final = re.compile(
    r"connect ETIMEDOUT|ConnectTimeout|\bdial tcp\b"
    r"|\b(connect|connection|connecting)( attempt)?( to \S{1,200})? timed? ?out",
    re.IGNORECASE,
)
POOL_MESSAGE: Final = re.compile(
    r"\b(QueuePool|HikariPool)|\bpool (limit|timed? ?out|(is )?exhausted)"
    r"|from (the )?(connection )?pool\b",
    re.IGNORECASE,
)
LOCK_MESSAGE: Final = re.compile(r"lock (wait )?timeout|due to user request", re.IGNORECASE)
# search: how clients word a deadline that ran out on their own side
DEADLINE_MESSAGE: Final = re.compile(
    r"context deadline exceeded|deadline exceeded after|^deadline exceeded\.?$", re.IGNORECASE
)
BREAKER_MESSAGE: Final = re.compile(r"circuit[ -]?breaker .*open|circuit (is )?open", re.IGNORECASE)
# search: an id that stands beside a noun of the work
ENTITY_MESSAGE: Final = re.compile(
    r"\b(asset|batch|customer|document|file|id|item|job|key|message|object|order|page|record|row"
    r"|task|user)s?[ #:=/\"'`]*[\w-]*\d",
    re.IGNORECASE,
)
# search, in warnings: a loop was ended by a limit of its own
LOOP_LIMIT_MESSAGE: Final = re.compile(
    r"(^|[^a-z])(max(imum)?|limit|bound|cap|too[ _-]many)([^a-z]|[^a-z].{0,40}[^a-z])"
    r"(iteration|page|turn|loop|round|cycle|record|item|duration|runtime)s?([^a-z]|$)"
    r"|(^|[^a-z])(iteration|page|turn|loop|round|cycle|record|item|duration|runtime)s?"
    r"([^a-z]|[^a-z].{0,20}[^a-z])(max(imum)?|limit|bound|cap)([^a-z]|$)",
    re.IGNORECASE,
)
# search, in warnings: a loop was ended because too much of it failed
ERROR_LIMIT_MESSAGE: Final = re.compile(
    r"(too[ _-]many|max(imum)?|threshold|limit|consecutive|in a row|budget)"
    r"([^a-z]|[^a-z].{0,40}[^a-z])(error|failure|failed|failing)s?([^a-z]|$)"
    r"|(error|failure|failed|failing)s?([^a-z]|[^a-z].{0,40}[^a-z])"
    r"(threshold|limit|budget|consecutive|in a row)([^a-z]|$)",
    re.IGNORECASE,
)
# search: whoever asked for work was told that it is being done
IN_PROGRESS_MESSAGE: Final = re.compile(
    r"already (being )?(in progress|in work|running|process(ing|ed)|locked|started|active|taken)"
    r"|(another|an earlier|a previous) (retry|run|attempt|job|worker)\b.{0,40}"
    r"\b(in progress|running|active|at work)",
    re.IGNORECASE,
)
# search, in log records below a warning: what a call held was let go
RELEASED_MESSAGE: Final = re.compile(
    r"\b(clean(ed|ing)?[ -]?up|roll(ed|ing)?[ -]?back)\b"
    r"|\b(connection|session|lock|lease|socket|slot|transaction|upload|(temporary|temp) file)s?\b"
    r".{0,40}\b(closed|released|returned|removed|deleted|aborted)\b"
    r"|\b(closed|released|returned|removed|deleted|aborted)\b.{0,40}"
    r"\b(connection|session|lock|lease|socket|slot|transaction|upload|(temporary|temp) file)s?\b",
    re.IGNORECASE,
)
# search: a process has no connections or files left
OUT_OF_RESOURCES_MESSAGE: Final = re.compile(
    r"too many (open files|clients|connections)|\bE[MN]FILE\b|remaining connection slots"
    r"|\b(pool|connections|slots|file descriptors)\b.{0,40}\b(exhausted|depleted)\b"
    r"|QueuePool limit|cannot assign requested address",
    re.IGNORECASE,
)
# full match
GENERIC_MESSAGE: Final = re.compile(
    r"[\s\W]*("
    r"|null|none|nil|undefined|n/?a|true|false|\[object Object\]|\{\}"
    r"|oops|something (bad |terrible )?(went wrong|happened)"
    r"|(an? |the )?((unknown|unexpected|unhandled|unspecified|internal|generic|general|fatal"
    r"|application|server|system|runtime|service|processing) )*"
    r"(error|exception|failure|problem|issue|fault)s?( has| have)?( was| were)?"
    r"( occurr?ed| happened| encountered| thrown| raised)?"
    r"( (while|during) (processing|handling|executing)( (the|your|this))?"
    r"( (request|operation|job|task|item))?)?"
    r"|((the|this|your) )?(operation|job|task|request|process|processing|call|step|batch|item|work"
    r"|workflow|execution|action|command|it)( has)?( was)?"
    r" (failed|aborted|errored|unsuccessful|not successful|could not be completed)"
    r"|fail(ed|ure)?|retry|revoked|success|bad|unsuccessful|exception|error"
    r"|internal server error|bad gateway|service unavailable|bad request|server error"
    r")([\s.,:;!-]*(please )?((try|contact) .*)?)[\s\W]*",
    re.IGNORECASE,
)
# search: how a destination is named that takes what nobody could process
DEAD_LETTER_NAME: Final = re.compile(
    r"(^|[^a-z])(dlq|dlt|dlx|dead[-_. ]?letters?|poison|parking[-_. ]?lot|undeliverable|quarantine)"
    r"([^a-z]|$)|_error_queue$|^%DLQ%|\$DeadLetterQueue|^failed$|-retry(-\d+)?$",
    re.IGNORECASE,
)

# An address of one's own machine: a proxy, a sidecar or a stub, and nobody to depend on.
OWN_MACHINE: Final = re.compile(r"^(localhost|127(\.\d+){3}|\[?::1\]?|0\.0\.0\.0)(:\d+)?$")

# The words and the messages of each class of errors, by the name of the class.
TYPES: Final[dict[str, frozenset[str]]] = {
    "timeout": TIMEOUT_TYPES,
    "not_timeout": NOT_TIMEOUT_TYPES,
    "job_limit": JOB_LIMIT_TYPES,
    "cancellation": CANCELLATION_TYPES,
    "connection": CONNECTION_TYPES,
    "breaker": BREAKER_TYPES,
    "exhaustion": EXHAUSTION_TYPES,
    "open": OPEN_TYPES,
    "pool": POOL_TYPES,
    "lock": LOCK_TYPES,
}
MESSAGES: Final[dict[str, re.Pattern[str]]] = {
    "timeout": TIMEOUT_MESSAGE,
    "call": CALL_MESSAGE,
    "connect": CONNECT_MESSAGE,
    "pool": POOL_MESSAGE,
    "lock": LOCK_MESSAGE,
    "deadline": DEADLINE_MESSAGE,
    "breaker": BREAKER_MESSAGE,
}
