"""Claims judged while runs are missing: what the tables stage writes once all are there."""

from fernn.audit import Audit, State
from fernn.jobs import Jobs
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.judge import judge
from fernn.results.claims.judgement import Judgement
from fernn.results.reading.selection import select
from fernn.runs import Run


def judge_claims(params: Params, layout: Layout) -> list[Judgement]:
    """Judge the paper's claims by the runs that are finished, of today's params and code; nothing is written.

    Raises:
        FernnError: if a file of claims, or of a finished run, is malformed.
    """
    jobs = Jobs(params, layout)
    audit = Audit(jobs)

    def finished(run: Run) -> bool:
        return all(audit.of(jobs.find(stage, run.id)).state is State.DONE for stage in ("train", "evaluate"))

    return judge(params, layout, jobs.experiments, select(params, layout, jobs.experiments, finished))
