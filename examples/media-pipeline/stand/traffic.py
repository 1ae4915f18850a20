"""The users: jobs and exports at an even pace, the same whether a fault is active or not."""

import threading
from concurrent.futures import ThreadPoolExecutor

from stand.pipeline import post

PROJECTS = {"spring": "ann", "summer": "ann", "autumn": "bob"}
FILES_IN_EXPORT = 6


class Traffic:
    """Submit in the background until the last job is sent or the traffic is stopped."""

    def __init__(self, pipeline, *, jobs, items, seconds, exports=True):
        self._pipeline = pipeline
        self._jobs = jobs
        self._items = items
        self._pause = seconds / jobs
        self._has_exports = exports
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        # Users do not wait for each other: a request that hangs must not thin out the traffic.
        self._users = ThreadPoolExecutor(max_workers=jobs * 2)
        self._answers = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()
        self._users.shutdown()

    @property
    def refused(self):
        return sum(answer.result() is None for answer in self._answers)

    def _send(self):
        projects = list(PROJECTS)
        for number in range(self._jobs):
            self._submit(submit_job, self._pipeline, projects[number % 3], prompts(self._items))
            if self._stopped.wait(self._pause / 2):
                return
            # The job before this one has assets to export by now.
            if number and self._has_exports:
                self._submit(_submit_export, self._pipeline, projects[(number - 1) % 3])
            if self._stopped.wait(self._pause / 2):
                return

    def _submit(self, request, *arguments):
        self._answers.append(self._users.submit(request, *arguments))


def prompts(count, **special):
    """Prompts of a job; `forbidden=(7,)` puts that word into the seventh, counted from 1."""
    words = {number: word for word, numbers in special.items() for number in numbers}
    return [
        f"a {words.get(number, 'quiet')} view, number {number}" for number in range(1, count + 1)
    ]


def submit_job(pipeline, project, wanted, *, urgent=False):
    body = {"project": project, "prompts": wanted}
    answer = post(f"{pipeline.url('web')}/jobs", body | ({"urgent": True} if urgent else {}))
    return answer and answer["job"]


def _submit_export(pipeline, project):
    body = {"project": project, "user": PROJECTS[project], "limit": FILES_IN_EXPORT}
    return post(f"{pipeline.url('web')}/exports", body)
