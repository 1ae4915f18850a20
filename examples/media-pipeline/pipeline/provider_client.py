"""Ask the image provider for one image: a read timeout, few attempts, growing pauses."""

import logging
import time

import requests

from pipeline import settings

log = logging.getLogger("pipeline.provider")
_TIMEOUT = (settings.CONNECT_SECONDS, settings.PROVIDER_READ_SECONDS)


class ProviderError(Exception):
    """The provider gave no image, and asking again is no use."""


def generate(item):
    for attempt in range(1, settings.PROVIDER_ATTEMPTS + 1):
        if attempt > 1:
            time.sleep(settings.PROVIDER_BACKOFF_SECONDS * 2 ** (attempt - 2))
        started = time.monotonic()
        image, problem = _ask(item)
        elapsed_ms = (time.monotonic() - started) * 1000
        if image is not None:
            log.info("provider answered item %s in %.0f ms", item["id"], elapsed_ms)
            return image
        log.warning(
            "provider attempt %d of %d for item %s failed after %.0f ms: %s",
            attempt,
            settings.PROVIDER_ATTEMPTS,
            item["id"],
            elapsed_ms,
            problem,
        )
    raise ProviderError(f"provider gave no image, last problem: {problem}")


def _ask(item):
    """One attempt: the image, or None and what went wrong for this time."""
    try:
        response = requests.post(
            f"{settings.PROVIDER}/v1/images",
            json={"prompt": item["prompt"]},
            timeout=_TIMEOUT,
        )
    except (requests.Timeout, requests.ConnectionError) as error:
        return None, f"{type(error).__name__}: {error}"
    if response.status_code == 429 or response.status_code >= 500:
        return None, f"HTTP {response.status_code}: {response.text.strip()}"
    if response.status_code >= 400:
        raise ProviderError(
            f"provider refused, HTTP {response.status_code}: {response.text.strip()}"
        )
    return response.content, None
