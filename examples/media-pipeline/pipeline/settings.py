"""Where the parts of the pipeline are; what bounds them is in `variant`."""

import os

DATABASE = os.environ.get("MEDIA_DATABASE", "")
REDIS = os.environ.get("MEDIA_REDIS", "")
PROVIDER = os.environ.get("MEDIA_PROVIDER", "")
STORE = os.environ.get("MEDIA_STORE", "")
NOTIFIER = os.environ.get("MEDIA_NOTIFIER", "")
STORE_DIRECTORY = os.environ.get("MEDIA_STORE_DIRECTORY", "")
PROVIDER_DIRECTORY = os.environ.get("MEDIA_PROVIDER_DIRECTORY", "")
PORT = int(os.environ.get("MEDIA_PORT", "0"))

DAILY_QUOTA = 1000
