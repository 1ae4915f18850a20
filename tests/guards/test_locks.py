"""The locks pin every dependency by hash, and name no place to fetch it from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def pins(lock: str) -> dict[str, set[str]]:
    """Read the locked requirements: name to "version ; marker" lines."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition("==")
        found.setdefault(name, set()).add(rest.partition("--hash")[0].strip())
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_url(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "index-url" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_pin_with_its_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    pinned = re.compile(r"[\w.-]+==[\w.+!]+( ; [^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+")
    assert [line for line in lines if not pinned.fullmatch(line.strip())] == []


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    users = [*project["project"]["dependencies"], *groups["build"]]
    for lock, wanted in zip(LOCKS, [users, [*users, *groups["dev"]]], strict=True):
        names = {re.split(r"[^\w.-]", requirement)[0] for requirement in wanted}
        assert names - pins(lock).keys() == set()


def test_tests_run_the_versions_that_users_install() -> None:
    users, developers = (pins(lock) for lock in LOCKS)
    assert {name: developers.get(name) for name in users} == users
