"""What a person who browses a rebuilt run asks: steps, traces, one trace, one span, one record.

The list of traces needs a table of its own, made once; a trace is read when it is opened, what is
recorded of a span or a log record when somebody looks at it.
"""
