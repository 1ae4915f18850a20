"""The image provider's staging stub, with a control endpoint that makes it misbehave."""

import contextlib
import json
import logging
import pathlib
import random
import threading
import time
from collections import defaultdict

from flask import Flask, request

from pipeline import images, settings, telemetry
from pipeline.telemetry import step

log = logging.getLogger("pipeline.provider")
telemetry.start()
app = Flask("provider")

MODES = ("ok", "slow", "hang", "429", "503", "flaky", "unlucky", "mute")
SLOW_SECONDS = 1.5
FLAKY_SHARE = 0.4
DIRECTORY = pathlib.Path(settings.PROVIDER_DIRECTORY)
state = {"mode": "ok"}
answering = threading.Event()
answering.set()
of_key = defaultdict(threading.Lock)


@app.post("/control/<new_mode>")
def control(new_mode):
    if new_mode not in MODES:
        return {"error": f"no mode {new_mode}; one of {', '.join(MODES)}"}, 404
    state["mode"] = new_mode
    if new_mode in ("hang", "mute"):
        answering.clear()
    else:
        answering.set()
    return state


@app.get("/healthz")
def healthz():
    return state


@app.get("/v1/images/<key>")
def get_image(key):
    return _made(key).read_bytes(), 200, {"Content-Type": "image/x-portable-pixmap"}


@app.post("/v1/images")
def create_image():
    body = request.get_json()
    key = request.headers.get("Idempotency-Key")
    refusal = _refusal(body["prompt"], state["mode"])
    if refusal:
        _note(body["reference"], f"refused {refusal[1]}")
        return refusal
    # Two requests with one key make one image, however close together they come.
    with _alone(key):
        if key and _made(key).exists():
            log.info("image %s exists: status=409", key)
            _note(body["reference"], "repeated")
            return {"error": "exists"}, 409
        image = _render(body, key)
    if state["mode"] == "mute":
        answering.wait()
    return image, 200, {"Content-Type": "image/x-portable-pixmap"}


@contextlib.contextmanager
def _alone(key):
    if key is None:
        yield
        return
    lock = of_key[key]
    if not lock.acquire(blocking=False):
        with step("wait for the same image"):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _refusal(prompt, mode):
    """What the provider says instead of making an image; None where it makes it."""
    if "forbidden" in prompt:
        log.warning("prompt refused: status=422 reason=content_policy")
        return {"error": "content_policy", "prompt": prompt}, 422
    if mode == "429":
        log.warning("rate limit reached: status=429")
        return {"error": "rate_limited"}, 429, {"Retry-After": "1"}
    if (
        mode == "503"
        or (mode == "unlucky" and "unlucky" in prompt)
        or (mode == "flaky" and random.random() < FLAKY_SHARE)
    ):
        log.error("no render node available: status=503")
        return {"error": "no_render_node"}, 503
    return None


def _render(body, key):
    # Nothing is made in the mode "hang"; the wait ends when the mode does.
    with step("wait for a render node"):
        if state["mode"] == "hang":
            answering.wait()
        time.sleep(SLOW_SECONDS if state["mode"] == "slow" else random.uniform(0.12, 0.28))
    with step("render image"):
        image = images.draw(body["prompt"])
        if key:
            _made(key).write_bytes(image)
        _note(body["reference"], "made")
        log.info("image rendered for a prompt of %d characters", len(body["prompt"]))
    return image


def _made(key):
    return DIRECTORY / f"{pathlib.Path(key).name}.ppm"


def _note(reference, outcome):
    """The call log: what was asked for, and what became of it, whoever heard the answer."""
    with (DIRECTORY / "calls.jsonl").open("a") as file:
        file.write(json.dumps({"item": reference, "outcome": outcome}) + "\n")


if __name__ == "__main__":
    telemetry.serve(app, settings.PORT)
