-- view: resource_attribute
-- One row an attribute of a resource.
--   resource_id  UBIGINT  hash of the resource's content
--   service      VARCHAR  service.name of the resource
--   key          VARCHAR  as sent
--   type         VARCHAR  string, bool, int, double, bytes, array, kvlist or empty
--   value        VARCHAR  as text: bytes in base64, arrays and kvlists as JSON
SELECT
    attribute.resource_id,
    resource.service,
    attribute.key,
    attribute.type,
    attribute.value
FROM stored.resource_attribute AS attribute
JOIN resource USING (resource_id)
