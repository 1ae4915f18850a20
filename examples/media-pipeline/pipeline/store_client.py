"""Put objects into the asset store and get them back."""

import requests

from pipeline import settings

_TIMEOUT = (settings.CONNECT_SECONDS, settings.STORE_READ_SECONDS)


def put(key, content):
    requests.put(f"{settings.STORE}/{key}", data=content, timeout=_TIMEOUT).raise_for_status()


def get(key):
    response = requests.get(f"{settings.STORE}/{key}", timeout=_TIMEOUT)
    response.raise_for_status()
    return response.content
