-- table: resource
-- One row a distinct resource: who sent the records.
--   resource_id   UBIGINT   hash of the resource's content
--   service       VARCHAR   service.name; '' where none was sent
--   instance_id   VARCHAR   service.instance.id, else host.name + process.pid, else the pod or container; NULL where none
--   host          VARCHAR   host.id, else k8s.node.name, else host.name, else host.ip: who shares a clock; NULL where none
--   sdk_language  VARCHAR   telemetry.sdk.language; NULL where none
SELECT
    resource.resource_id,
    coalesce(any_value(attribute.value) FILTER (attribute.key = 'service.name'), '') AS service,
    coalesce(
        any_value(attribute.value) FILTER (attribute.key = 'service.instance.id'),
        any_value(attribute.value) FILTER (attribute.key = 'host.name')
        || ':' || any_value(attribute.value) FILTER (attribute.key = 'process.pid'),
        any_value(attribute.value) FILTER (attribute.key = 'k8s.pod.uid'),
        any_value(attribute.value) FILTER (attribute.key = 'k8s.pod.name'),
        any_value(attribute.value) FILTER (attribute.key = 'container.id'),
        'pid ' || any_value(attribute.value) FILTER (attribute.key = 'process.pid')
    ) AS instance_id,
    coalesce(
        any_value(attribute.value) FILTER (attribute.key = 'host.id'),
        any_value(attribute.value) FILTER (attribute.key = 'k8s.node.name'),
        any_value(attribute.value) FILTER (attribute.key = 'host.name'),
        any_value(attribute.value) FILTER (attribute.key = 'host.ip')
    ) AS host,
    any_value(attribute.value) FILTER (attribute.key = 'telemetry.sdk.language') AS sdk_language
FROM stored.resource AS resource
LEFT JOIN stored.resource_attribute AS attribute USING (resource_id)
GROUP BY resource.resource_id
