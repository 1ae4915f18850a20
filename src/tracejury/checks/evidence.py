"""What a check may look at: the rebuilt run, by SQL, and the policy. Nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracejury.config import Config, Policy
from tracejury.store.reader import Reader, Row


@dataclass(frozen=True, slots=True)
class Evidence:
    """A rebuilt run. `has_baseline`: the tables `baseline_*` hold what a clean run taught."""

    reader: Reader
    config: Config
    has_baseline: bool

    @property
    def policy(self) -> Policy:
        """The bounds that verdicts use."""
        return self.config.policy

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Row]:
        """Rows by column name of a query over the views and tables of the run.

        Queries aggregate: what comes back is of the size of an answer, not of the run.
        """
        return self.reader.rows(sql, parameters)
