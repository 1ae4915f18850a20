"""Ask the image provider for one image: a read timeout, few attempts, growing pauses, a breaker."""

import logging
import time

import requests

from pipeline import attempts, settings
from pipeline.breaker import CircuitBreaker
from pipeline.variant import CURRENT

log = logging.getLogger("pipeline.provider")
_TIMEOUT = (CURRENT.connect, CURRENT.provider_read)
_breaker = CircuitBreaker("provider", CURRENT.breaker_failures, rest_seconds=4)


class ProviderError(Exception):
    """The provider gave no image, and asking again is no use."""


class RefusedError(ProviderError):
    """The provider will not make this image, whatever else it makes."""


def generate(item):
    _breaker.check()
    try:
        image = _generated(item)
    except RefusedError:
        _breaker.succeeded()
        raise
    except ProviderError:
        _breaker.failed()
        raise
    _breaker.succeeded()
    return image


def _generated(item):
    for attempt in range(1, CURRENT.attempts + 1):
        if attempt > 1:
            attempts.pause(attempt - 1)
        started = time.monotonic()
        image, problem = _ask(item)
        elapsed_ms = (time.monotonic() - started) * 1000
        if image is not None:
            log.info("provider answered item %s in %.0f ms", item["id"], elapsed_ms)
            return image
        log.warning(
            "provider attempt %d of %d for item %s failed after %.0f ms: %s",
            attempt,
            CURRENT.attempts,
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
            json={"prompt": item["prompt"], "reference": item["id"]},
            headers={"Idempotency-Key": item["id"]} if CURRENT.sends_keys else {},
            timeout=_TIMEOUT,
        )
        if response.status_code == 409:
            log.info("item %s was made before, fetching it", item["id"])
            url = f"{settings.PROVIDER}/v1/images/{item['id']}"
            response = requests.get(url, timeout=_TIMEOUT)
    except (requests.Timeout, requests.ConnectionError) as error:
        return None, f"{type(error).__name__}: {error}"
    problem = f"HTTP {response.status_code}: {response.text.strip()}" if not response.ok else None
    if response.status_code == 429 or response.status_code >= 500:
        return None, problem
    if problem and CURRENT.retries_refusals:
        return None, problem
    if problem:
        raise RefusedError(f"provider refused, {problem}")
    return response.content, None
