"""Draw docs/scorecard.svg: the terminal UI on a recorded run, as a reader of the README sees it."""

import asyncio
import re
from pathlib import Path

from tracejury.config import load_config
from tracejury.receiver.inputs import open_inputs
from tracejury.scorecard.audit import audit
from tracejury.scorecard.result import Audit
from tracejury.store.reader import Reader
from tracejury.tui.app import TracejuryApp
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.faults import read_faults
from tracejury.workflow.rebuild import rebuild

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample-traces" / "provider-hang"
PICTURE = ROOT / "docs" / "scorecard.svg"


def judged() -> tuple[Audit, Reader]:
    """The recorded run, judged against the clean one as `make demo` does it."""
    config = load_config(SAMPLE / "tracejury.toml", start=SAMPLE)
    with quiet(config.baseline) as clean:
        rebuild(clean, config)
        baseline = Baseline.learn(clean)
    reader = quiet(tuple(sorted(SAMPLE.glob("*.jsonl.gz"))))
    faults = read_faults(SAMPLE / "faults.json")
    return audit(reader, config, injected=faults, baseline=baseline), reader


def quiet(paths: tuple[Path, ...]) -> Reader:
    """Open files without a word about it."""
    return open_inputs(paths, lambda *_: None, lambda _: lambda *_: None)


async def draw() -> str:
    """The first screen, once it is judged."""
    app = TracejuryApp(judged, title="provider-hang")
    async with app.run_test(size=(100, 36)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        return app.export_screenshot(title="tracejury tui")


if __name__ == "__main__":
    # Fonts come from the reader's machine, not from a server.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}", "", asyncio.run(draw()), flags=re.S))
    print(f"wrote {PICTURE.relative_to(ROOT)}")
