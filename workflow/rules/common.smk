# What all rules share: the checked params of the scale, and where files lie.
import os
import sys
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from fernn.errors import FernnError
from fernn.pipeline.jobs import Jobs
from fernn.experiments import overridden, resolve
from fernn.layout import Layout
from fernn.gpus import visible_gpus
from fernn.runs import gpus_of
from workflow.cluster import PER_GPU, after_predecessors, check_slurm, refuse_without_gpu, resources_of, site
from workflow.container import image_of, tell_apptainer
from workflow.plan import Plan
from workflow.presence import enter, pass_on, stay_outside
from workflow.view import show

# a rule's command is the one that belongs to this Snakemake, whether or not its environment is activated
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
# and the library that it runs is this checkout's, whose digest the results carry, whichever one is installed
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(workflow.basedir), os.environ.get("PYTHONPATH")]))

REMOTE = workflow.resource_settings.nodes is not None  # what a cluster does, and not this machine
CONTAINED = DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method


def in_words(check, *arguments):
    """Tell what it refuses as Snakemake tells an error, without a traceback."""
    try:
        check(*arguments)
    except FernnError as error:
        raise WorkflowError(str(error))


try:
    content = overridden(config, load_configfile("params.yaml"), "params.yaml")
    PARAMS = resolve(content)
    # `workflow.dryrun` is always False here: it is set after the rules are read
    DRY_RUN = workflow.output_settings.dryrun
    # The profile for clusters always says --sdm apptainer: there, an image is used where one is named. What runs without a
    # container has none in its Snakemake record either. A dry run needs no image.
    must = workflow.is_main_process and not REMOTE
    IMAGE = image_of(PARAMS.image, must) if CONTAINED and not DRY_RUN else None
    if IMAGE:
        tell_apptainer(IMAGE, Path(workflow.basedir))
    LAYOUT = Layout(PARAMS.scale)
    JOBS = Jobs(PARAMS, LAYOUT)
    if DRY_RUN:
        stay_outside()
    elif workflow.is_main_process:
        enter()
    PLAN = Plan(JOBS, workflow.is_main_process)
except FernnError as error:
    raise WorkflowError(str(error))

RUNS = JOBS.runs
# no parameter of a rule: who allows it later has no run to repeat
ALLOW_CPU = "--allow-cpu" if PARAMS.allow_cpu else ""
BASE = str(LAYOUT.base)


def results(*names):
    """All files of these stages: intermediates too, since one that was deleted is noticed only if it is asked for."""
    return [path for name in names for job in JOBS.of(name).values() for path in (*job.writes, job.record)]


wildcard_constraints:
    experiment="|".join(PARAMS.experiments),
    part="[A-Za-z0-9-]+",
    run="(?:" + "|".join(PARAMS.experiments) + ")/.+/seed[0-9]+",


# on this machine, as many jobs at a time ask for a GPU as there are; on a cluster, Slurm hands them out
GPUS = [] if REMOTE or not workflow.is_main_process else visible_gpus()
if GPUS:
    workflow.register_resource("local_gpu", len(GPUS))
# `workflow.cores` is an error without --cores, which --summary, --dag and the like do not need
CORES = workflow.resource_settings.cores or 1


def threads_of(wildcards):
    """CPU threads of a run; 0 in the params means all, and where GPUs do the work, what a run is said to need."""
    threads = PARAMS.section(RUNS[wildcards.run].experiment).training.threads
    return threads or (PARAMS.resources.train.cpus if GPUS else CORES)


def asks(stage):
    """What a job of this stage asks of a machine."""
    return {**resources_of(PARAMS.resources, stage), **submission(stage)}


def gpus_asked(wildcards):
    """The GPUs that share a training; of this machine no more than there are, or Snakemake would wait for ever."""
    gpus = gpus_of(PARAMS, RUNS[wildcards.run])
    return min(gpus, len(GPUS)) if GPUS else gpus


def threads_of_training(wildcards):
    """CPU threads of a training: as many for each GPU."""
    return threads_of(wildcards) * (gpus_asked(wildcards) if GPUS else 1)


def asks_of_training():
    """What a training asks for, which is a matter of its model where several GPUs share it."""
    asked = asks("train")

    def of_run(name):
        return lambda wildcards: resources_of(PARAMS.resources, "train", gpus_asked(wildcards))[name]

    return asked | {name: of_run(name) for name in PER_GPU if name in asked and PARAMS.resources.train.gpu}


def submission(rule):
    """What a job of this rule asks of Slurm besides; nothing on other machines."""
    # inside a job, it is this very job that would be found
    wanted = REMOTE and workflow.is_main_process
    return {
        **site(PARAMS.resources),
        "slurm_extra": (lambda wildcards: after_predecessors(rule, wildcards)) if wanted else "",
    }
