"""Put objects into the asset store, get them back, and list them page by page."""

import requests

from pipeline import attempts, settings
from pipeline.variant import CURRENT

_TIMEOUT = (CURRENT.connect, CURRENT.store_read)


def put(key, content):
    _answered(lambda: requests.put(f"{settings.STORE}/{key}", data=content, timeout=_TIMEOUT), key)


def get(key):
    return _answered(lambda: requests.get(f"{settings.STORE}/{key}", timeout=_TIMEOUT), key).content


def page(number):
    """The keys on a page: none behind the last one, None where the store knows no such page."""
    url = f"{settings.STORE}/keys"
    response = requests.get(url, params={"page": number}, timeout=_TIMEOUT)
    if response.status_code == 404:
        return None
    response.raise_for_status()
    return response.json() if response.status_code == 200 else []


def _answered(ask, key):
    def answer():
        response = ask()
        response.raise_for_status()
        return response

    if not CURRENT.retries_everywhere:
        return answer()
    return attempts.tried(answer, (requests.Timeout, requests.ConnectionError), f"object {key}")
