-- view: orphan_span
-- One row a span whose parent is named and not stored: the columns of `span`, and these.
--   missing_parent_id  VARCHAR  16 lower-case hex digits of the parent
--   side               VARCHAR  local: the same process lost it; remote: another one; unknown: not said
--   external_entry     BOOLEAN  nobody in this run could have made the call: it came from outside
SELECT
    span.*,
    format('{:016x}', orphan.missing_parent) AS missing_parent_id,
    orphan.side,
    orphan.external_entry
FROM orphan
JOIN span USING (span_no)
