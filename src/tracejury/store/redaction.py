"""Take secrets out of a batch before it is stored: by the key, and by what the value looks like.

Every text that telemetry brings is looked at: attributes of all kinds, names, descriptions, status
messages and log bodies. The same input always gives the same output, so that a request that is sent
again is still recognised.
"""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracejury.config import Redaction
from tracejury.errors import UsageError
from tracejury.store.alert_redaction import redact_alerts
from tracejury.telemetry.batch import ATTRIBUTES, Batch
from tracejury.telemetry.secrets import HINT, MARK, RULES, is_secret_key

_ATTRIBUTES: Final = (
    "resource_attributes",
    "scope_attributes",
    "span_attributes",
    "event_attributes",
    "link_attributes",
    "log_attributes",
    "metric_attributes",
    "point_attributes",
    "exemplar_attributes",
)
_TEXTS: Final = {
    "spans": ("name", "status_message"),
    "events": ("name",),
    "logs": ("event_name", "body"),
    "metrics": ("name", "description"),
}

_PLAIN, _SECRET, _ALLOWED = range(3)

# Whoever sends keys chooses how many there are.
_REMEMBERED_KEYS: Final = 10_000

_Mask = NDArray[np.bool_]


class Redactor:
    """The rules in force. Safe to call from several threads.

    Raises `UsageError` for a pattern that is no regular expression or matches nothing at all.
    """

    def __init__(self, rules: Redaction) -> None:
        for pattern in rules.patterns:
            _check(pattern)
        own = tuple((f"({pattern})", MARK) for pattern in rules.patterns)
        self._rules = rules
        self._patterns = own + (RULES if rules.defaults else ())
        self._hint = "|".join([*rules.patterns, *([HINT] if rules.defaults else [])])
        # A user's pattern may ask for what stands before it, so that each text is searched alone.
        self._may_search_at_once = not rules.patterns
        self._kinds: dict[str, int] = {}

    def redact(self, batch: Batch) -> tuple[Batch, int]:
        """The batch without its secrets, and how many values were changed."""
        changed = {}
        redacted = 0
        may_match = bool(self._hint) and not (
            self._may_search_at_once and not _any_match(_all_texts(batch), self._hint)
        )
        for name in _ATTRIBUTES:
            changed[name], count = self._attributes(getattr(batch, name), may_match=may_match)
            redacted += count
        for name, columns in _TEXTS.items() if may_match else ():
            changed[name], count = self._texts(getattr(batch, name), columns)
            redacted += count
        if batch.alerts.num_rows:
            changed["alerts"], count = redact_alerts(
                batch.alerts, partial(self._attributes, may_match=bool(self._hint))
            )
            redacted += count
        return (replace(batch, **changed) if redacted else batch), redacted

    def _attributes(self, table: pa.Table, *, may_match: bool) -> tuple[pa.Table, int]:
        if not table.num_rows:
            return table, 0
        chunks, redacted = [], 0
        for chunk in table.to_batches():
            cleaned, count = self._attribute_chunk(chunk, may_match=may_match)
            chunks.append(cleaned)
            redacted += count
        return (pa.Table.from_batches(chunks, table.schema) if redacted else table), redacted

    def _attribute_chunk(
        self, chunk: pa.RecordBatch, *, may_match: bool
    ) -> tuple[pa.RecordBatch, int]:
        owners, keys, types, values = chunk.columns
        kinds = np.array([self._kind(key) for key in keys.dictionary.to_pylist()], np.int8)
        kind = kinds[keys.indices.to_numpy()]
        is_secret = kind == _SECRET
        cleaned = 0
        if may_match:
            values, cleaned = self._clean(values, kind == _PLAIN)
        elif not is_secret.any():
            return chunk, 0
        if is_secret.any():
            is_secret &= _has_content(types)
            values = values.cast(pa.string())
            # What was redacted before, and comes in an export of it, is not counted again.
            is_secret &= pc.not_equal(values, MARK).fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003
            values = pc.if_else(pa.array(is_secret), MARK, values)
            types = _as_text(types, is_secret)
        if not pa.types.is_dictionary(values.type):
            values = values.dictionary_encode()
        redacted = cleaned + int(is_secret.sum())
        return pa.RecordBatch.from_arrays(
            [owners, keys, types, values], schema=ATTRIBUTES
        ), redacted

    def _texts(self, table: pa.Table, columns: Sequence[str]) -> tuple[pa.Table, int]:
        redacted = 0
        for name in columns:
            column = table[name]
            chunks = [self._clean(chunk, np.ones(len(chunk), bool)) for chunk in column.chunks]
            count = sum(count for _, count in chunks)
            if count:
                cleaned = pa.chunked_array([chunk for chunk, _ in chunks], column.type)
                at = table.schema.get_field_index(name)
                table = table.set_column(at, table.schema.field(at), cleaned)
                redacted += count
        return table, redacted

    def _kind(self, key: str) -> int:
        found = self._kinds.get(key)
        if found is None:
            if len(self._kinds) >= _REMEMBERED_KEYS:
                self._kinds = {}
            found = self._kinds[key] = self._judge(key)
        return found

    def _judge(self, key: str) -> int:
        if _is_among(key, self._rules.allow):
            return _ALLOWED
        by_default = self._rules.defaults and is_secret_key(key)
        return _SECRET if by_default or _is_among(key, self._rules.keys) else _PLAIN

    def _clean(self, values: pa.Array, may_change: _Mask) -> tuple[pa.Array, int]:
        """The texts without what the patterns find, where they may change, and how many did."""
        if not len(values):
            return values, 0
        is_encoded = pa.types.is_dictionary(values.type)
        if self._may_search_at_once and not _any_match(
            values.dictionary if is_encoded else values, self._hint
        ):
            return values, 0
        # A run repeats itself: each different text is looked at once.
        encoded = values if is_encoded else values.dictionary_encode()
        texts = encoded.dictionary.fill_null("")
        is_suspect = pc.match_substring_regex(texts, self._hint)
        before = texts.filter(is_suspect)
        after = before
        for pattern, replacement in self._patterns:
            after = pc.replace_substring_regex(after, pattern, replacement)
        is_changed = is_suspect.to_numpy(zero_copy_only=False).copy()
        is_changed[is_changed] = pc.not_equal(before, after).to_numpy(zero_copy_only=False)
        codes = encoded.indices.fill_null(0).to_numpy()
        rows = may_change & is_changed[codes] & values.is_valid().to_numpy(zero_copy_only=False)
        if not rows.any():
            return values, 0
        cleaned = pc.replace_with_mask(texts, is_suspect, after).take(encoded.indices)
        return pc.if_else(pa.array(rows), cleaned, values.cast(pa.string())), int(rows.sum())


def _check(pattern: str) -> None:
    try:
        finds_nothing = pc.match_substring_regex(pa.array([""]), pattern)[0].as_py()
    except pa.ArrowInvalid as error:
        raise UsageError(
            f"redaction.patterns: {pattern!r} is no regular expression of RE2's syntax.",
            next_step="See https://github.com/google/re2/wiki/Syntax.",
        ) from error
    if finds_nothing:
        raise UsageError(
            f"redaction.patterns: {pattern!r} matches even an empty text.",
            next_step="Say what must be there, for example with + instead of *.",
        )


def _is_among(key: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(key.lower(), glob.lower()) for glob in globs)


def _all_texts(batch: Batch) -> pa.Array:
    """Every text of a batch but for keys; those of attributes once for each distinct one."""
    columns = [getattr(batch, name)["value"] for name in _ATTRIBUTES]
    columns += [getattr(batch, name)[column] for name in _TEXTS for column in _TEXTS[name]]
    chunks = [chunk for column in columns for chunk in column.chunks if len(chunk)]
    texts = [
        (chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk).cast(pa.string())
        for chunk in chunks
    ]
    return pa.concat_arrays(texts) if texts else pa.array([], pa.string())


def _any_match(values: pa.Array, pattern: str) -> bool:
    """Whether any of `values` may match; all are searched as one text, which is much faster."""
    _, offsets, data = values.buffers()
    if data is None:
        return False
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    bounds = pa.py_buffer(np.array([ends[0], ends[-1]], np.int32))
    whole = pa.StringArray.from_buffers(1, bounds, data)
    return bool(pc.match_substring_regex(whole, pattern)[0].as_py())


def _has_content(types: pa.DictionaryArray) -> _Mask:
    """Which values are not merely true, false or unset."""
    has_content = np.array([kind not in {"bool", "empty"} for kind in types.dictionary.to_pylist()])
    chosen: _Mask = has_content[types.indices.to_numpy()] if len(types) else np.zeros(0, bool)
    return chosen


def _as_text(types: pa.DictionaryArray, rows: _Mask) -> pa.DictionaryArray:
    """The types, `string` at `rows`: what stands there now is no number, array or the like."""
    if not rows.any():
        return types
    names = types.dictionary.to_pylist()
    if "string" not in names:
        names.append("string")
    codes = np.where(rows, np.int8(names.index("string")), types.indices.to_numpy())
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(names, pa.string()))
