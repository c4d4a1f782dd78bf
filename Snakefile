# From the download of the data to the paper's tables and figures, and a report. Rules lie in workflow/rules, one file for each stage;
# logic lies in the library `fernn`, and each rule is one of its commands.


configfile: "params.yaml"


include: "workflow/rules/common.smk"


if IMAGE:

    # every rule's, under --sdm apptainer
    container: IMAGE.file


include: "workflow/rules/data.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


# jobs that are run by another process, on a node of a cluster say, are held to what was planned here
onstart:
    if workflow.touch:
        raise WorkflowError(
            "--touch has no effect here: records decide what is up to date, not the times of files."
        )
    if REMOTE:
        in_words(check_slurm)
    else:
        pass_on()
        in_words(refuse_without_gpu, PARAMS, GPUS, workflow.dag.needrun_jobs())
    PLAN.announce()


rule all:
    default_target: True
    input:
        results("dataset", "train", "evaluate", "tables", "figures", "report"),
    message:
        "All of scale {PARAMS.scale}"


if workflow.is_main_process:
    show(workflow, PLAN)
