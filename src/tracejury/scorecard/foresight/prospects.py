"""What each check waits for: the conditions it rests on, and the faults that would test it.

A fault is a kind of the fault file and what it must hit. Of several, any one will do.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tracejury.scorecard.foresight.needs import Need


class Aim(StrEnum):
    """What a fault must hit to test something."""

    CALL = "call"  # who is called
    TRACED_CALL = "traced-call"  # who is called, and sends spans of its own
    WORKER = "worker"  # a process that works on messages
    SERVER = "server"  # a process that answers requests that change something
    BROKER = "broker"  # who holds messages
    QUEUE = "queue"  # a destination
    BATCH = "batch"  # a loop over items
    LOOP = "loop"  # any loop
    JOB = "job"  # a workflow whose instances are jobs


@dataclass(frozen=True, slots=True)
class Stress:
    """A kind of fault, and what it must hit."""

    kind: str
    aim: Aim


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a check waits for. Without `faults` it needs none.

    `person` is what a person must do where no telemetry decides; `besides` what else must be seen.
    """

    needs: tuple[Need, ...] = ()
    faults: tuple[Stress, ...] = ()
    besides: str = ""
    person: str = ""


_HANG: Final = Stress("hang", Aim.CALL)
_DELAY: Final = Stress("delay", Aim.CALL)
_ERROR: Final = Stress("error", Aim.CALL)
_PARTITION: Final = Stress("partition", Aim.CALL)
_STORAGE: Final = Stress("storage", Aim.CALL)
_KILL: Final = Stress("kill", Aim.WORKER)
_RESTART: Final = Stress("restart", Aim.SERVER)
_RESTART_BROKER: Final = Stress("restart", Aim.BROKER)
_FLOOD: Final = Stress("flood", Aim.QUEUE)
_BAD_ITEM: Final = Stress("bad_item", Aim.BATCH)
_ENDLESS: Final = Stress("endless_source", Aim.LOOP)
_CANCEL: Final = Stress("cancel", Aim.JOB)
_RETRY: Final = Stress("retry", Aim.JOB)
_RETRY_ALL: Final = Stress("retry_all", Aim.JOB)
_DOUBLE_RETRY: Final = Stress("double_retry", Aim.JOB)

_WAITING: Final = (_HANG, _DELAY, _PARTITION)
_OUTAGE: Final = (_ERROR, _HANG, _PARTITION)
_FAILING: Final = (_ERROR, _HANG, _BAD_ITEM, _PARTITION)

PROSPECTS: Final[dict[str, Prospect]] = {
    "ING-01": Prospect(),
    "ING-02": Prospect((Need.SELF_METRICS,)),
    "ING-03": Prospect((Need.SAMPLING,)),
    "ING-04": Prospect(),
    "ING-05": Prospect((Need.HOSTS,)),
    "INV-01": Prospect((Need.DECLARATION,)),
    "INV-02": Prospect((Need.CALLS,)),
    "INV-03": Prospect(
        person="Say which of the listed steps take what users type, and which cannot be undone."
    ),
    "INV-04": Prospect((Need.DECLARATION,)),
    "TIM-01": Prospect((Need.CALLS,), _WAITING),
    "TIM-02": Prospect((Need.CALLS,), _WAITING),
    "TIM-03": Prospect((Need.CALLS,), _WAITING),
    "TIM-04": Prospect((Need.CALLS,), _WAITING),
    "TIM-05": Prospect(
        (Need.CALLS,), _WAITING, besides="a ROLLBACK, an aborted upload or a log of the clean-up"
    ),
    "TIM-06": Prospect((Need.QUEUE,), _WAITING, besides="a job that its own limit ends"),
    "TIM-07": Prospect(
        (Need.JOB_ID, Need.ITEM_ID, Need.QUEUE), _WAITING, besides="a job that its own limit ends"
    ),
    "PAR-01": Prospect((Need.ITEM_ID,), (_BAD_ITEM,)),
    "PAR-02": Prospect((Need.ITEM_ID,), _FAILING),
    "PAR-03": Prospect((Need.ITEM_ID, Need.JOB_STATE), (_BAD_ITEM,)),
    "PAR-04": Prospect((Need.CALLS,), _OUTAGE, besides="a sixth failure in a row, or a refusal"),
    "PAR-05": Prospect((Need.ITEM_ID,), _OUTAGE, besides="items that are passed over in it"),
    "PAR-06": Prospect((Need.ITEM_ID,), (_BAD_ITEM,)),
    "PAR-07": Prospect((Need.LOGS,), _OUTAGE),
    "LOOP-01": Prospect((), (_ENDLESS,)),
    "LOOP-02": Prospect((Need.PAGES,)),
    "LOOP-03": Prospect((Need.ITEM_ID,), (_ERROR, _HANG), besides="half of the items failing"),
    "RET-01": Prospect((Need.CALLS,), _OUTAGE),
    "RET-02": Prospect((Need.CALLS,), _OUTAGE, besides="a fault that outlasts the attempts"),
    "RET-03": Prospect((Need.CALLS,), _OUTAGE, besides="three attempts at one thing"),
    "RET-04": Prospect((Need.JOB_ID, Need.ITEM_ID), (_RETRY, _RETRY_ALL)),
    "RET-05": Prospect((Need.CALLS,), _OUTAGE, besides="parameters that the attempts record"),
    "RET-06": Prospect(
        (Need.SERVER_HALF,),
        (Stress("hang", Aim.TRACED_CALL), Stress("delay", Aim.TRACED_CALL), _RESTART, _KILL),
        besides="a call that changes something, made again",
    ),
    "RET-07": Prospect((Need.JOB_ID,), (_DOUBLE_RETRY,)),
    "RET-08": Prospect((Need.JOB_ID,), (_RETRY, _RETRY_ALL)),
    "RET-09": Prospect((Need.ITEM_ID, Need.JOB_STATE), (_RETRY, _RETRY_ALL)),
    "RSM-00": Prospect((Need.INSTANCE_ID,), (_KILL, _RESTART)),
    "RSM-01": Prospect((Need.JOB_ID, Need.INSTANCE_ID, Need.QUEUE), (_KILL,)),
    "RSM-02": Prospect(
        (Need.ITEM_ID, Need.INSTANCE_ID, Need.EXPORT_DELAY),
        (_KILL,),
        besides="an item done before, and one after",
    ),
    "RSM-03": Prospect(
        (Need.INSTANCE_ID, Need.EXPORT_DELAY), (_RESTART,), besides="a caller that asks again"
    ),
    "RSM-04": Prospect((Need.HEALTH_ROUTE,), _OUTAGE),
    "RSM-05": Prospect(
        (Need.ENOUGH_RUNS,),
        (*_OUTAGE, _DELAY, _KILL, _BAD_ITEM, _RESTART),
        besides="five instances of a workflow before it, and five after",
    ),
    "Q-01": Prospect((Need.QUEUE,), (_RESTART_BROKER,), besides="messages that wait meanwhile"),
    "Q-02": Prospect((Need.QUEUE, Need.INSTANCE_ID), (_KILL,)),
    "Q-03": Prospect((Need.QUEUE, Need.INSTANCE_ID), (_KILL,)),
    "Q-04": Prospect(
        (Need.QUEUE, Need.SERVER_HALF), (_KILL,), besides="a call in work when it died"
    ),
    "Q-05": Prospect(
        (Need.QUEUE,), (_BAD_ITEM,), besides="a job that fails each time that it is delivered"
    ),
    "Q-06": Prospect((Need.QUEUE, Need.WORKER_MEMORY), (_FLOOD,)),
    "Q-07": Prospect((Need.QUEUE, Need.PRIORITY), (_FLOOD,)),
    "Q-08": Prospect((Need.QUEUE, Need.QUEUE_DEPTH, Need.ALERTS), (_FLOOD,)),
    "Q-09": Prospect((Need.QUEUE,)),
    "ST-01": Prospect((Need.QUEUE,), (_KILL, _HANG, _PARTITION)),
    "ST-02": Prospect((Need.BASELINE, Need.JOB_STATE)),
    "ST-03": Prospect((Need.ITEM_ID, Need.JOB_STATE), _FAILING),
    "ST-04": Prospect((Need.JOB_STATE,)),
    "ST-05": Prospect((Need.BASELINE,), _FAILING, besides="a step that fails for good"),
    "ST-06": Prospect((Need.JOB_STATE,), (_CANCEL, _HANG, _ERROR)),
    "ST-07": Prospect((), (*_FAILING, _KILL)),
    "ST-08": Prospect((Need.JOB_STATE,), (_HANG, _KILL, _BAD_ITEM, _STORAGE, _CANCEL)),
    "ST-09": Prospect((Need.QUEUE, Need.INSTANCE_ID), (_KILL,), besides="a job that stays open"),
    "OBS-01": Prospect(),
    "OBS-02": Prospect((Need.LOGS,)),
    "OBS-03": Prospect(),
    "OBS-04": Prospect((Need.SERVER_HALF,)),
    "OBS-05": Prospect((Need.BASELINE,)),
    "OBS-06": Prospect((Need.CALLS,)),
    "OBS-07": Prospect((Need.CALLS, Need.BASELINE)),
    "OBS-08": Prospect((Need.LONG_RUNS,)),
    "OBS-09": Prospect((), _FAILING),
    "OBS-10": Prospect((), _FAILING, besides="a workflow instance that fails"),
    "OBS-11": Prospect((), (*_FAILING, _KILL)),
    "OBS-12": Prospect((Need.ALERTS,), (*_FAILING, _KILL)),
    "OBS-13": Prospect(
        (Need.ALERTS,),
        person="Take the time from the alert to the right root cause with a clock; an estimate"
        " never passes.",
    ),
    "OBS-14": Prospect(),
    "OBS-15": Prospect((Need.LOGS,)),
    "OBS-16": Prospect(),
    "OBS-17": Prospect((Need.ALERTS,), (*_FAILING, _KILL)),
}
