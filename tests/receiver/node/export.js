// Record some spans, export them to process.argv[3] by the exporter package process.argv[2], and
// print what was recorded.
const { SpanKind, SpanStatusCode, context, trace } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require(process.argv[2]);

const memory = new InMemorySpanExporter();
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "checkout", "service.instance.id": "one" }),
  spanProcessors: [new SimpleSpanProcessor(memory)],
});
const tracer = provider.getTracer("shop", "1.2");
const root = tracer.startSpan("POST /orders", { kind: SpanKind.SERVER });
const inside = trace.setSpan(context.active(), root);
for (const kind of [0, 1, 2, 3, 4]) {
  const options = { kind, links: [{ context: root.spanContext(), attributes: { reason: "batch" } }] };
  const child = tracer.startSpan(`step ${kind} ünï`, options, inside);
  child.setAttributes({ text: "väl\n[/]'", int: 42, double: 0.5, bool: true, texts: ["a", "b"] });
  child.addEvent("retry", { attempt: kind });
  child.end();
}
root.setStatus({ code: SpanStatusCode.ERROR, message: "no such item" });
root.end();

const nanoseconds = ([seconds, rest]) => String(BigInt(seconds) * 1000000000n + BigInt(rest));
const spans = memory.getFinishedSpans();
const recorded = spans.map((span) => ({
  trace_id: span.spanContext().traceId,
  span_id: span.spanContext().spanId,
  parent_span_id: span.parentSpanContext ? span.parentSpanContext.spanId : null,
  name: span.name,
  kind: SpanKind[span.kind],
  status: SpanStatusCode[span.status.code],
  status_message: span.status.message || "",
  start_ns: nanoseconds(span.startTime),
  end_ns: nanoseconds(span.endTime),
  attributes: span.attributes,
  events: span.events.map((event) => [event.name, nanoseconds(event.time)]),
  links: span.links.map((link) => link.context.spanId),
}));

const exporter = new OTLPTraceExporter({
  url: process.argv[3],
  compression: process.argv[4],
});
exporter.export(spans, async (result) => {
  await exporter.shutdown();
  if (result.error) {
    console.error(result.error);
    process.exitCode = 1;
  }
  console.log(JSON.stringify(recorded));
});
