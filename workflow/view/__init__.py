"""What a person sees of a workflow: a live view in a terminal, plain lines elsewhere, a table of a dry run.

A handler of Snakemake's logger shows it. It is no logger plugin, since Snakemake looks for those among the packages of
the environment and does not see one that is installed in editable mode, as `make setup` installs this project; and what
shows a workflow belongs to the checkout that has the rules. Snakemake's own words stay in its log file, unchanged.
"""

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from snakemake.logging import ColorizingTextHandler, logger
from snakemake.settings.enums import Quietness

from workflow.plan import Plan
from workflow.view.dry_run import DryRun
from workflow.view.watch import Watch

if TYPE_CHECKING:
    from snakemake.workflow import Workflow  # which cannot be imported first

OURS = {Quietness.HOST, Quietness.REASON}  # profiles/default says so
PIPED = 160  # characters in a line of a table that nobody's terminal limits


def show(workflow: "Workflow", plan: Plan) -> None:
    """Show this workflow in place of Snakemake's own handler.

    Whoever asks for Snakemake's own words gets them: by --verbose, --debug-dag, --printshellcmds, --quiet or a logger
    plugin that writes to the terminal.
    """
    settings = workflow.output_settings
    own_words = settings.verbose or settings.debug_dag or settings.printshellcmds or set(settings.quiet or ()) - OURS
    replaced = [handler for handler in logger.handlers if isinstance(handler, ColorizingTextHandler)]
    if own_words or not replaced:
        return
    for handler in replaced:
        logger.removeHandler(handler)
    stream = sys.stdout if settings.stdout else sys.stderr
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED
    console = Console(file=stream, no_color=settings.nocolor or None, width=width, highlight=False, emoji=False)
    logger.addHandler(DryRun(console, workflow, plan) if settings.dryrun else Watch(console, workflow, plan))
