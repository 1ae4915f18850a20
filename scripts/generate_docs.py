"""Write the generated pages of docs/; with --check only say which are stale, and fail."""

import sys
from pathlib import Path

from tracejury.report.reference import checks_page, views_page

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"checks.md": checks_page, "views.md": views_page}


def main(arguments: list[str]) -> int:
    """Give 1 where a page is stale and may not be written, else 0."""
    stale = []
    for name, generate in PAGES.items():
        page, text = DOCS / name, generate()
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            stale.append(f"docs/{name}")
        else:
            DOCS.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    if stale:
        print(f"stale: {', '.join(stale)}; run `make docs` and commit the result", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
