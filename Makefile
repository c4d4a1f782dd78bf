# The verbs of daily work; `make` alone lists them. Each does the set-up that it needs, once.
#
#   make demo                       make setup PYTHON=/path/to/python3.13
#   make test ARGS="-k rendering"   make demo ARGS="--dry-run"
#
# Packages come by the pip of the virtual environment, so what pip honours (PIP_INDEX_URL, PIP_FIND_LINKS,
# HTTPS_PROXY, pip.conf ...) holds here too. Paths are relative, since that of the checkout may hold spaces.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-all test-faults mutations fuzz load test-slurm image test-image lint docs bench numerics gpu artifacts evidence verify lock check-locks clean
MAKEFLAGS += --no-print-directory

ARGS ?=
# Settings that send packages elsewhere than into .venv, or paths; PIP_USER=0 also overrides a pip.conf.
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_NO_DEPS PIP_REQUIRE_HASHES CDPATH
export PIP_USER := 0
HASHED := --require-hashes --no-deps --no-build-isolation --use-pep517
LOG := .venv/setup.log
# $(call install,OPTIONS): pip's output goes to the log; its end is shown if pip fails. -I: PYTHONPATH is no place of packages.
install = .venv/bin/python -I -m pip --disable-pip-version-check install $(1) >> $(LOG) 2>&1 || { tail -n 20 $(LOG); printf '%s\n' \
  "The set-up ended early: pip could not install a package. The end of its output is above, all of it in $(LOG)." \
  "If pip cannot reach a package index, check the network, HTTPS_PROXY and PIP_INDEX_URL. Then run the same command again."; \
  exit 1; } >&2
# rules and tests call `fernn`, `snakemake` and the linters by name
IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"

# The set-up compares content, not times, so a change of branch and back costs nothing. An environment knows its own
# path: one that was moved or copied with the checkout is rebuilt.
PACKAGES := $(CURDIR) $(shell cat requirements/lock.txt requirements/torch.txt | cksum)
PROJECT := $(shell cksum < pyproject.toml)
ifneq "$(shell test -x .venv/bin/python && cat .venv/packages.done 2>/dev/null)" "$(PACKAGES)"
.PHONY: .venv/packages.done
endif
ifneq "$(shell cat .venv/project.done 2>/dev/null)" "$(PROJECT)"
.PHONY: .venv/project.done
endif

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

setup: .venv/project.done  ## make .venv with the exact packages and this project (a second call is instant)

.venv/packages.done:
	@rm -f .venv/*.done && requirements/make-venv
	@# setuptools first: it builds the packages that have no wheel, so that no build fetches one of its own choice
	@sed -n '/^setuptools==/,/# via/p' requirements/lock.txt > .venv/setuptools.txt
	@# CC=true: no compiler is needed. What has no wheel is Python, but for immutables on Python 3.14, which has a form in Python
	@# that it takes where its compiled one is not there; so all machines get the same, with and without a compiler.
	@echo "Installing the locked packages (about 220)"
	@$(call install,$(HASHED) -r .venv/setuptools.txt)
	@CC=true $(call install,$(HASHED) -r requirements/lock.txt)
	@echo "Installing torch (a build with CUDA is some gigabytes; progress: $(LOG))"
	@$(call install,--no-warn-conflicts -r requirements/torch.txt)
	@echo "$(PACKAGES)" > $@

.venv/project.done: .venv/packages.done
	@$(call install,--no-deps --no-build-isolation --editable .)
	@echo "$(PROJECT)" > $@

demo: setup  ## the whole way on two cores: from digits and videos to tables and figures
	@$(IN_VENV) snakemake --cores all --config scale=quick $(ARGS)
	@for table in results/quick/tables/table[12].md; do test ! -e "$$table" || cat "$$table"; echo; done
	@test ! -e results/quick/tables/claims.csv || $(IN_VENV) fernn claims --scale quick
	@echo "Tables: results/quick/tables   Figures: results/quick/figures   Report: results/quick/report.html"

# Tests are spread over the processors; -n 0 (in ARGS) has them in one process, for a debugger.
PYTEST := python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
test: setup  ## linters, types, all quick tests, and the whole way once at a tiny scale (some minutes)
	@$(IN_VENV) $(PYTEST) -m "not slow and not slurm and not image" $(ARGS)

test-all: setup  ## those, and each edit, kill and damage that the pipeline has to survive
	@$(IN_VENV) $(PYTEST) $(ARGS)

test-faults: setup  ## inject all faults of docs/reliability.md and rewrite its table (20 minutes)
	@$(IN_VENV) FERNN_FAULTS=all FERNN_RELIABILITY=docs/reliability.md $(PYTEST) tests/workflow/test_interrupted.py tests/faults $(ARGS)

mutations: setup  ## remove each guard in a copy and check that a test fails; rewrites the list in docs/reliability.md
	@$(IN_VENV) python -m tests.faults.mutations --page docs/reliability.md

fuzz: setup  ## files for each reader by a guided fuzzer, SECONDS (60) for each; needs `pip install atheris` in .venv
	@$(IN_VENV) python -m tests.faults.fuzz --seconds $(or $(SECONDS),60) --page docs/reliability.md

load: setup  ## run JOBS (2000) small jobs, 90 minutes on two cores; rewrites the load table in docs/reliability.md
	@$(IN_VENV) python -m tests.faults.load --jobs $(or $(JOBS),2000) --page docs/reliability.md

test-slurm: setup  ## tests on a real Slurm of two nodes on this machine, started for them and stopped (root; slurm-wlm, munge)
	@$(IN_VENV) python -m pytest -m slurm tests/slurm $(ARGS)

image:  ## build the container image, by docker, podman or buildah (docs/image.md; variables: docker/build)
	@docker/build

test-image: setup  ## build the image on a small Debian and run the pipeline in it (root; buildah, podman, runc, mmdebstrap)
	@$(IN_VENV) python -m pytest -m image tests/image $(ARGS)

lint: setup  ## linters and types only
	@$(IN_VENV) ruff check .
	@$(IN_VENV) ruff format --check .
	@$(IN_VENV) mypy
	@$(IN_VENV) lint-imports --no-cache
	@$(IN_VENV) snakefmt --check Snakefile workflow
	@$(IN_VENV) codespell
	@$(IN_VENV) hadolint --failure-threshold warning docker/Dockerfile

docs: setup  ## the pages as a site, build/docs/index.html; no network
	@$(IN_VENV) sphinx-build --quiet --fail-on-warning --fresh-env -c docs/site docs build/docs
	@echo "The site: build/docs/index.html"

bench: setup  ## measure the fast path against the plain one; writes docs/performance.md
	@$(IN_VENV) python -m benchmarks $(ARGS)

numerics: setup  ## run the quick scale in four numerical environments and compare the verdicts (40 minutes on two cores)
	@$(IN_VENV) python -m benchmarks.numerics $(ARGS)

gpu: setup  ## on a CUDA machine, in half an hour: device tests, measurements, real training; writes docs/gpu.md
	@$(IN_VENV) python -m benchmarks.gpu $(ARGS)

# Rebuild the remote in the repository, so that it drops what neither dvc.lock nor evidence/ lists any more.
PUSH = $(IN_VENV) dvc fetch --quiet && rm -rf artifacts/files && $(IN_VENV) dvc push --remote repository
artifacts: setup  ## run what has changed at the quick scale; bring dvc.lock and artifacts/ up to date, for a commit
	@$(IN_VENV) fernn prune --scale quick
	@$(IN_VENV) fernn equivalent --agreeing results/quick evidence/small || echo "Outdated results are rebuilt."
	@$(IN_VENV) dvc repro
	@$(PUSH)
	@du -sh artifacts

# Data of its own, no stage: a change of code does not train it again. Left out are the samples that pictures of predictions are
# drawn from, for their size, and dvc.yaml, which DVC would take for stages of this project. While runs are missing it takes
# ARGS=--force; their checkpoints are kept then, so that they go on elsewhere.
evidence: setup  ## keep the finished results of scale small as evidence/small, for a commit (docs/evidence.md)
	@$(IN_VENV) fernn export --scale small $(ARGS) --without samples.safetensors --without dvc.yaml --to build/evidence.zip
	@rm -rf evidence/small && .venv/bin/python -m zipfile -e build/evidence.zip evidence/small
	@test -z "$(ARGS)" || cp -R results/small/unfinished evidence/small/results/small/
	@$(IN_VENV) dvc add --quiet evidence/small
	@$(PUSH)
	@du -sh evidence/small artifacts

verify: setup  ## pull the artifacts and hold them, dvc.lock and the code against each other
	@$(IN_VENV) dvc pull --quiet
	@$(IN_VENV) dvc status
	@$(IN_VENV) dvc status --quiet
	@$(IN_VENV) snakemake --cores all --config scale=quick --dry-run | tee /dev/stderr | grep -q "Nothing to be done"
	@$(IN_VENV) fernn verify results/quick

COMPILE := .venv/bin/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
  --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
# Rebuild the image's two locks each time, so that they take the versions of the first one; only torch differs.
lock: setup  ## renew the locks after a change of pyproject.toml or requirements/ (ARGS=--upgrade: newest)
	@$(COMPILE) --all-extras --constraint requirements/pins.txt --overrides requirements/overrides.txt \
	  pyproject.toml requirements/torch-needs.in requirements/validator.in --output-file requirements/lock.txt $(ARGS)
	@$(COMPILE) --extra rotation --extra kth --extra stages --constraint requirements/lock.txt \
	  --overrides requirements/overrides.txt --no-annotate \
	  pyproject.toml requirements/image.in requirements/torch-needs.in --upgrade --output-file requirements/image.txt
	@$(COMPILE) --constraint requirements/lock.txt --no-annotate \
	  requirements/torch.txt --output-file requirements/cuda.txt $(ARGS)

# Each Python that the project takes, on each kind of machine: every package has a wheel with a hash of the lock there, but for
# those named here, which are built without a compiler (see the set-up above). Nothing is downloaded.
FROM_SOURCE := antlr4-python3-runtime connection-pool immutables
check-locks: setup  ## ask the package index whether the locks hold for Python 3.11 to 3.14 on Linux (x86-64, arm64) and macOS (arm64)
	@for version in 3.11 3.12 3.13 3.14; do \
	  for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do \
	    for lock in lock image torch; do \
	      case $$lock in torch) hashes=;; *) hashes=--require-hashes;; esac; \
	      MACOSX_DEPLOYMENT_TARGET=14.0 .venv/bin/uv pip install --quiet --dry-run --target build/none --no-deps $$hashes \
	        --python-version $$version --python-platform $$platform --only-binary :all: \
	        $(FROM_SOURCE:%=--no-binary %) -r requirements/$$lock.txt || exit 1; \
	    done; \
	    echo "Python $$version on $$platform: every package is there"; \
	  done; \
	done

clean:  ## remove the results of the demo and the tools' caches (never downloads, never other results)
	rm -rf results/quick build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
