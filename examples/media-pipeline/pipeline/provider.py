"""The image provider's staging stub, with a control endpoint that makes it misbehave."""

import logging
import random
import threading
import time

from flask import Flask, request

from pipeline import images, settings, telemetry

log = logging.getLogger("pipeline.provider")
telemetry.start()
app = Flask("provider")

MODES = ("ok", "slow", "hang", "429", "503", "flaky")
SLOW_SECONDS = 1.5
FLAKY_SHARE = 0.4
state = {"mode": "ok"}
not_hanging = threading.Event()
not_hanging.set()


@app.post("/control/<new_mode>")
def control(new_mode):
    if new_mode not in MODES:
        return {"error": f"no mode {new_mode}; one of {', '.join(MODES)}"}, 404
    state["mode"] = new_mode
    if new_mode == "hang":
        not_hanging.clear()
    else:
        not_hanging.set()
    return state


@app.get("/healthz")
def healthz():
    return state


@app.post("/v1/images")
def create_image():
    prompt = request.get_json()["prompt"]
    mode = state["mode"]
    if "forbidden" in prompt:
        log.warning("prompt refused: status=422 reason=content_policy")
        return {"error": "content_policy", "prompt": prompt}, 422
    if mode == "429":
        log.warning("rate limit reached: status=429")
        return {"error": "rate_limited"}, 429, {"Retry-After": "1"}
    if mode == "503" or (mode == "flaky" and random.random() < FLAKY_SHARE):
        log.error("no render node available: status=503")
        return {"error": "no_render_node"}, 503
    # Nothing answers in the mode "hang"; the wait ends when the mode does.
    not_hanging.wait()
    mode = state["mode"]
    time.sleep(SLOW_SECONDS if mode == "slow" else random.uniform(0.12, 0.28))
    log.info("image rendered for a prompt of %d characters", len(prompt))
    return images.draw(prompt), 200, {"Content-Type": "image/x-portable-pixmap"}


if __name__ == "__main__":
    telemetry.serve(app, settings.PORT)
