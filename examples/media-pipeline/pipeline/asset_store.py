"""An object store of the S3 kind: PUT and GET of objects, kept as files."""

import logging
import pathlib

from flask import Flask, abort, request

from pipeline import settings, telemetry

log = logging.getLogger("pipeline.asset_store")
telemetry.start()
app = Flask("asset-store")
ROOT = pathlib.Path(settings.STORE_DIRECTORY)


def _path(bucket, key):
    path = (ROOT / bucket / key).resolve()
    if not path.is_relative_to(ROOT.resolve()):
        abort(400)
    return path


@app.get("/healthz")
def healthz():
    return {"objects": sum(1 for path in ROOT.rglob("*") if path.is_file())}


PAGE = 5
LAST_PAGE = 12
listing = {"endless": False}


@app.post("/control/<mode>")
def control(mode):
    listing["endless"] = mode == "endless"
    return listing


@app.get("/keys")
def list_keys():
    """A page of the keys, in order: empty behind the last one, and in the end there is no page."""
    number = int(request.args["page"])
    keys = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("assets/*/*"))
    if listing["endless"]:
        return [keys[number % len(keys)]] if keys else []
    if number > LAST_PAGE:
        abort(404)
    shown = keys[: 3 * PAGE][(number - 1) * PAGE : number * PAGE]
    return shown if shown else ("", 204)


@app.put("/<bucket>/<path:key>")
def put_object(bucket, key):
    path = _path(bucket, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(request.get_data())
    log.info("stored %s/%s, %d bytes", bucket, key, path.stat().st_size)
    return "", 200


@app.get("/<bucket>/<path:key>")
def get_object(bucket, key):
    path = _path(bucket, key)
    if not path.is_file():
        log.warning("no object %s/%s: status=404", bucket, key)
        abort(404)
    log.info("read %s/%s, %d bytes", bucket, key, path.stat().st_size)
    return path.read_bytes(), 200, {"Content-Type": "application/octet-stream"}


if __name__ == "__main__":
    telemetry.serve(app, settings.PORT)
