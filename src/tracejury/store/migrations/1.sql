-- From format 1 to 2: a number for each key and type of an attribute.
CREATE TABLE stored.attribute_key (
    key_no UINTEGER NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL
);

INSERT INTO stored.attribute_key
SELECT row_number() OVER (ORDER BY key, type) - 1, key, type
FROM (
    SELECT key, type FROM stored.span_attribute
    UNION
    SELECT key, type FROM stored.event_attribute
    UNION
    SELECT key, type FROM stored.link_attribute
    UNION
    SELECT key, type FROM stored.log_attribute
);

CREATE TABLE stored.span_value (
    span_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

INSERT INTO stored.span_value
SELECT attribute.span_no, name.key_no, attribute.value
FROM stored.span_attribute AS attribute
JOIN stored.attribute_key AS name USING (key, type)
ORDER BY attribute.rowid;

DROP TABLE stored.span_attribute;

CREATE VIEW stored.span_attribute AS
SELECT attribute.span_no, name.key, name.type, attribute.value
FROM stored.span_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

CREATE TABLE stored.event_value (
    event_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

INSERT INTO stored.event_value
SELECT attribute.event_no, name.key_no, attribute.value
FROM stored.event_attribute AS attribute
JOIN stored.attribute_key AS name USING (key, type)
ORDER BY attribute.rowid;

DROP TABLE stored.event_attribute;

CREATE VIEW stored.event_attribute AS
SELECT attribute.event_no, name.key, name.type, attribute.value
FROM stored.event_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

CREATE TABLE stored.link_value (
    link_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

INSERT INTO stored.link_value
SELECT attribute.link_no, name.key_no, attribute.value
FROM stored.link_attribute AS attribute
JOIN stored.attribute_key AS name USING (key, type)
ORDER BY attribute.rowid;

DROP TABLE stored.link_attribute;

CREATE VIEW stored.link_attribute AS
SELECT attribute.link_no, name.key, name.type, attribute.value
FROM stored.link_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

CREATE TABLE stored.log_value (
    log_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

INSERT INTO stored.log_value
SELECT attribute.log_no, name.key_no, attribute.value
FROM stored.log_attribute AS attribute
JOIN stored.attribute_key AS name USING (key, type)
ORDER BY attribute.rowid;

DROP TABLE stored.log_attribute;

CREATE VIEW stored.log_attribute AS
SELECT attribute.log_no, name.key, name.type, attribute.value
FROM stored.log_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);
