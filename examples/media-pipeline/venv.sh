# Sourced by `run` and `record`, with $here set: makes .venv in the first call, and gives $venv.
venv=$here/.venv
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    echo "media-pipeline: installing requirements.txt into .venv (once)" >&2
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install -qq --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
