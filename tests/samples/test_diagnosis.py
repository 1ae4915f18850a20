"""Who is to blame in the provider-hang run, told by the window alone."""

import json
from pathlib import Path

from tests.samples.recorded import SAMPLES, files
from tests.test_cli import called

SAMPLE = SAMPLES / "provider-hang"


def blind(folder: Path) -> Path:
    """The fault file, without what names the target."""
    document = json.loads((SAMPLE / "faults.json").read_text())
    window = [{key: fault[key] for key in ("id", "start", "end")} for fault in document["faults"]]
    path = folder / "faults.json"
    path.write_text(json.dumps({"faults": window}))
    return path


def test_the_provider_is_ranked_first(tmp_path: Path) -> None:
    options = ("--faults", blind(tmp_path), "--config", SAMPLE / "tracejury.toml")
    ran = called(tmp_path, "diagnose", *files("provider-hang"), *options, "--format", "json")
    assert ran.returncode == 0, ran.stderr
    (fault,) = json.loads(ran.stdout)["faults"]
    assert fault["stands_out"]
    assert fault["suspects"][0]["service"] == "provider"
    assert fault["suspects"][0]["evidence"]
