# From the download of the data to the paper's tables and figures. Rules lie in workflow/rules, one file for each stage;
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


# what Snakemake knows of the outputs lies beside them, whatever became of the others
onsuccess:
    keep(KEPT)


onerror:
    keep(KEPT)


rule all:
    default_target: True
    input:
        # intermediates stand here too: one that was deleted is noticed only if it is asked for
        DATASETS,
        MODELS,
        EVALUATIONS,
        TABLES,
        FIGURES,
