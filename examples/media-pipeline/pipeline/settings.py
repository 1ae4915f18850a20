"""Where the parts of the pipeline are, and the bounds that it works within."""

import os

DATABASE = os.environ.get("MEDIA_DATABASE", "")
REDIS = os.environ.get("MEDIA_REDIS", "")
PROVIDER = os.environ.get("MEDIA_PROVIDER", "")
STORE = os.environ.get("MEDIA_STORE", "")
NOTIFIER = os.environ.get("MEDIA_NOTIFIER", "")
STORE_DIRECTORY = os.environ.get("MEDIA_STORE_DIRECTORY", "")
PORT = int(os.environ.get("MEDIA_PORT", "0"))

# About a tenth of what production would use, so that a run takes a minute and not ten.
CONNECT_SECONDS = 1
PROVIDER_READ_SECONDS = 2
PROVIDER_ATTEMPTS = 3
PROVIDER_BACKOFF_SECONDS = 0.3
STORE_READ_SECONDS = 3
NOTIFY_READ_SECONDS = 1
JOB_SOFT_SECONDS = 20
JOB_HARD_SECONDS = 25
# Longer than the longest job: a shorter one would hand a running job to a second worker.
VISIBILITY_SECONDS = 30
DAILY_QUOTA = 1000
