"""What secrets look like in telemetry: the words of their names, and the shapes of their values.

The regular expressions are RE2's, which match in linear time whatever a sender writes. Sources: the
sensitive parts of URLs that OpenTelemetry's `url.*` conventions name, the header names of HTTP
authentication, and the prefixes that makers of tokens publish so that leaks can be found.
"""

import itertools
import re
from typing import Final

MARK: Final = "[REDACTED]"

# An attribute is a secret when its key has one of these words, or one of these pairs in a row, ...
WORDS: Final = frozenset(
    [
        "accesskey",
        "apikey",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "csrf",
        "cvc",
        "cvv",
        "jwt",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "privatekey",
        "pwd",
        "secret",
        "secretkey",
        "secrets",
        "token",
        "xsrf",
    ]
)
PAIRS: Final = frozenset(
    (first, "key")
    for first in [
        "access",
        "account",
        "api",
        "auth",
        "encryption",
        "private",
        "secret",
        "shared",
        "signing",
    ]
)

# ... unless it ends in a word that speaks *about* the secret: `gen_ai.token.type`, `cookie.name`.
ABOUT: Final = frozenset(
    [
        "arn",
        "count",
        "expires",
        "expiry",
        "kind",
        "length",
        "limit",
        "method",
        "name",
        "present",
        "provider",
        "scheme",
        "size",
        "status",
        "total",
        "ttl",
        "type",
        "usage",
        "version",
    ]
)

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def is_secret_key(key: str) -> bool:
    """Whether the name says that its value is a secret, in any spelling of its words."""
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[-1] in ABOUT:
        return False
    return not WORDS.isdisjoint(words) or not PAIRS.isdisjoint(itertools.pairwise(words))


_KEY: Final = r"(?:access|account|api|auth|encryption|private|secret|shared|signing)[-_. ]?key"
_PASSWORD: Final = r"pass(?:word|wd|phrase|code)|pwd"
_NAME: Final = (
    rf"[\w.-]*(?:{_PASSWORD}|secret|token|jwt|{_KEY}(?:[-_]?id)?|credentials?|authorization"
    r"|cookie|signature|[cx]srf)"
)
_QUOTED: Final = r""""(?:[^"\\]|\\.)*"|\\+"[^"\\]*\\+"|'[^']*'"""
_BARE: Final = r"""[^\s&;,"'<>()\[\]{}=][^\s&;,"'<>()\[\]{}]*"""
# Base64 or the like, and not a word: it has a digit, an inner capital or padding.
_OPAQUE: Final = r"[A-Za-z0-9._~+/-]*(?:[0-9=]|[a-z][A-Z])[A-Za-z0-9._~+/=-]*"

# Pattern and what takes its place, applied in this order. What is kept is a group.
RULES: Final[tuple[tuple[str, str], ...]] = (
    # A private key, to its end or to where it was cut off.
    (
        r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|\z)",
        rf"\1{MARK}\2",
    ),
    # password=..., PGPASSWORD='...', ?access_token=..., Password=...; in connection strings
    (rf"(?i)({_NAME}\s{{0,2}}=\s{{0,2}})(?:{_QUOTED}|{_BARE})", rf"\1{MARK}"),
    # {"password": "..."} and its like in Python, the words ["--password", "..."] of a command
    (
        rf"""(?i)(\\*["']{_NAME}\\*["']\s*(?::|=>?|,)\s*)"""
        rf"(?:{_QUOTED}|-?[\d.]+|\{{[^{{}}]*\}}|\[[^\[\]]*\])",
        rf'\1"{MARK}"',
    ),
    # Authorization: ... and Cookie: ... to the end of their line
    (r"""(?i)((?:authorization|cookie)\s*:\s*)[^\r\n"']+""", rf"\1{MARK}"),
    (rf"(?i)([\w.-]*(?:{_PASSWORD}|secret|{_KEY})\s*:\s*)(?:{_QUOTED}|{_BARE})", rf"\1{MARK}"),
    (r"(?i)([\w.-]*token\s*:\s*)[A-Za-z0-9._~+/=-]{12,}", rf"\1{MARK}"),
    # --password ..., curl -u user:...
    (rf"""(?i)((?:^|[\s"'])--?{_NAME}\s+)[^\s"'-][^\s"']*""", rf"\1{MARK}"),
    (
        r"""((?:^|[\s"'])(?:-u|--user|--proxy-user)(?:\s+|=|"\s*,\s*")[^\s:"']+:)[^\s"']+""",
        rf"\1{MARK}",
    ),
    # scheme://user:...@host, and Go's user:...@tcp(host)
    (r"""([A-Za-z][\w+.-]*://[^\s/:@"'<>?#]*:)[^\s/"'<>?#]+@""", rf"\1{MARK}@"),
    (r"([\w.-]+:)[^\s@/]+(@(?:tcp|unix)\()", rf"\1{MARK}\2"),
    # Parameters of URLs whose names are innocent elsewhere
    (
        r"""(?i)([?&](?:key|code|auth|sid|session(?:_?id)?|sig|x-amz-credential)=)[^&#\s"'<>]+""",
        rf"\1{MARK}",
    ),
    (rf"(?i)(\b(?:bearer|basic)\s+)(?-i:{_OPAQUE})", rf"\1{MARK}"),
    # SQL: IDENTIFIED BY '...', PASSWORD '...'
    (r"(?i)(\b(?:identified\s+by|password)\s+)'[^']*'", rf"\1'{MARK}'"),
    # Tokens that are known by their look: JWT, AWS, GitHub, GitLab, Slack, Stripe, Google, OpenAI
    # and Anthropic, npm, PyPI, Hugging Face, SendGrid
    (
        r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"
        r"|\bA[KS]IA[0-9A-Z]{16}\b"
        r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}"
        r"|\bxox[a-z]-[\w-]{10,}"
        r"|\b[rsp]k_(?:live|test)_\w{10,}"
        r"|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}"
        r"|\bsk-[\w-]{20,}"
        r"|\bnpm_[A-Za-z0-9]{36}|\bpypi-[\w-]{40,}|\bhf_[A-Za-z0-9]{30,}"
        r"|\bSG\.[\w-]{16,}\.[\w-]{16,}",
        MARK,
    ),
)

# What every text has that any of the rules changes, and few others. It asks for nothing before
# itself, so that it may search many texts put end to end.
HINT: Final = (
    rf"(?i:{_PASSWORD}|secret|token|jwt|{_KEY}|credential|authorization|cookie|signature|[cx]srf"
    r"|bearer\s|basic\s|identified\s+by|[?&](?:key|code|auth|sid|session|sig)"
    r"""|(?:-u|--user|--proxy-user)["'\s=])"""
    r"""|://[^\s/"'<>?#]*@|@(?:tcp|unix)\(|PRIVATE KEY"""
    r"|eyJ|A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|[rsp]k_(?:live|test)_|AIza|ya29\."
    r"|sk-[\w-]{20}|npm_|pypi-|hf_|SG\."
)
