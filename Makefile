# Shortcuts for the usual commands. What they need is built on first use, into .venv/ and .tools/, both ignored by Git.
# The only requirement is Python 3.11 or newer; PYTHON=python3.12 selects the interpreter.

SHELL := /bin/sh
.DEFAULT_GOAL := help

export PYTHON
CHART := charts/kargo-service
BOOT  := tools/bootstrap
# KARGO_FLEET_RUN_BY: its messages then say `make values SERVICE=web FORCE=1` instead of `kargo-fleet generate web --force`.
# set -f: a glob in SERVICE is for kargo-fleet, which knows the services.
FLEET := set -f; KARGO_FLEET_RUN_BY=make .venv/bin/kargo-fleet
# For tests and linters, PATH starts with .tools/bin (helm, ct, kubeconform, helm-unittest, helm-docs, go) and .venv/bin.
WITH_TOOLS = GOTOOLCHAIN=local PATH="$(CURDIR)/.tools/bin:$(CURDIR)/.venv/bin:$$PATH"

# on NAME: not empty if NAME is 1, true or yes.
on = $(filter 1 true yes,$($(1)))
# quoted NAME: its value, for the shell and without what make reads into it; each NAME: the same for each word of it.
quoted = '$(subst ','\'',$(value $(1)))'
each = $(foreach item,$(value $(1)),'$(subst ','\'',$(item))')
# option NAME,--option: --option 'value' if NAME is set.
option = $(if $(value $(1)),$(2) $(call quoted,$(1)))

# A mistyped variable would change nothing and say nothing: `make deploy SERVICES=web YES=1` would deploy the whole fleet. So
# the variables on the command line must be those that the help of a target names in brackets: NAME=, or NAME=1 for a switch.
# None of them is taken from the environment: an exported FORCE=1 would overwrite what a person edited.
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
asked := $(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))
ifneq ($(shell $(BOOT)/variables.sh '$(firstword $(MAKEFILE_LIST))' $(call quoted,asked) $(foreach name,$(given),'$(name)='$(call quoted,$(name)))),ok)
  $(error stopped)
endif

##@ The fleet

.PHONY: values
values: venv ## Write values/ and argocd/ from services/ [SERVICE= IMAGE_REPOSITORY= GIT_REPO_URL= FORCE=1 PRUNE=1 DRY_RUN=1 DIFF=1]
	@$(FLEET) generate $(call each,SERVICE) $(call option,IMAGE_REPOSITORY,--image-repository) $(call option,GIT_REPO_URL,--git-repo-url) \
	    $(if $(call on,FORCE),--force) $(if $(call on,PRUNE),--prune) $(if $(call on,DRY_RUN),--dry-run) $(if $(call on,DIFF),--diff)

.PHONY: check
check: venv ## Validate every service, and check that values/ and argocd/ are current; write nothing [SERVICE=]
	@$(FLEET) check $(call each,SERVICE)

.PHONY: capacity
capacity: venv ## Calculate the load of the fleet, the limit reached first, and what to set [SERVICES=5000 INTERVAL=1h SHARDS=2]
	@$(BOOT)/tool.sh helm
	@$(FLEET) capacity $(call option,SERVICES,--services) $(call option,INTERVAL,--interval) $(call option,SHARDS,--shards) || [ $$? -eq 1 ]

.PHONY: template
template: venv ## Print the manifests that Helm installs for a service, after a check of it [SERVICE=nginx]
	@$(BOOT)/service.sh $(call quoted,SERVICE)
	@$(BOOT)/tool.sh helm
	@$(FLEET) check --quiet $(call each,SERVICE) >&2 || [ $$? -eq 1 ]
	@$(FLEET) render --quiet $(call each,SERVICE)

.PHONY: render
render: venv ## Print the manifests of every unit [SERVICE= OUTPUT_DIR=manifests VALIDATE=1]
	@$(BOOT)/tool.sh helm
	@$(if $(call on,VALIDATE),$(BOOT)/crds.sh)
	@$(FLEET) render $(call each,SERVICE) $(call option,OUTPUT_DIR,--output-dir) $(if $(call on,VALIDATE),--validate)

##@ The cluster

# kubectl is not built: its version depends on the cluster.

.PHONY: deploy
deploy: venv ## Install or upgrade units with Helm, without Argo CD [SERVICE= CONTEXT= KUBECONFIG= DRY_RUN=1 YES=1 FORCE=1 STALE=1]
	@$(BOOT)/tool.sh helm
	@$(FLEET) deploy $(call each,SERVICE) $(call option,CONTEXT,--context) $(if $(call on,DRY_RUN),--dry-run) \
	    $(if $(call on,YES),--yes) $(if $(call on,FORCE),--force) $(if $(call on,STALE),--stale)

.PHONY: delete
delete: venv ## Delete units from the cluster, with their history [SERVICE=nginx CONTEXT= KUBECONFIG= YES=1]
	@$(BOOT)/tool.sh helm
	@$(FLEET) delete $(call each,SERVICE) $(call option,CONTEXT,--context) $(if $(call on,YES),--yes)

.PHONY: doctor
doctor: venv ## Report problems of the units in the cluster, each with a fix [SERVICE= CONTEXT= KUBECONFIG= DRIFT=1]
	@$(if $(value SERVICE)$(call on,DRIFT),$(BOOT)/tool.sh helm)
	@$(FLEET) doctor $(call each,SERVICE) $(call option,CONTEXT,--context) $(if $(call on,DRIFT),--drift)

##@ The product

# On all cores. A debugger needs one process: pytest sees to that with --pdb, and PYTEST_ARGS='-n 0' does it too.
ON_ALL_CORES = -n auto --dist worksteal

.PHONY: test
test: test-chart test-python test-kargo ## Test the chart and the tool: helm-unittest, ct lint, pytest [PYTEST_ARGS=]

.PHONY: test-quick
test-quick: venv-dev ## Run the quick tests, all properties among them (a minute and a half on two cores) [PYTEST_ARGS=]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@$(WITH_TOOLS) pytest $(ON_ALL_CORES) -m "not slow and not argocd and not cluster and not torture" --hypothesis-profile quick $(PYTEST_ARGS)

.PHONY: test-chart
test-chart: venv-dev
	@$(BOOT)/tool.sh helm ct helm-unittest
	@$(WITH_TOOLS) helm-unittest --strict $(CHART)
	@$(WITH_TOOLS) ct lint --config ct.yaml --charts $(CHART)

.PHONY: test-python
test-python: venv-dev # [PYTEST_ARGS=]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm ct helm-unittest kubeconform
	@$(WITH_TOOLS) pytest $(ON_ALL_CORES) -m "not argocd and not cluster and not torture" $(PYTEST_ARGS)

# The newest patch release of Kargo, whose module has other libraries than the version that is pinned for everything.
.PHONY: test-kargo
test-kargo: venv-dev ## Run the contract tests against a further version of Kargo, v1.11.4
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@KARGO_FLEET_TEST_KARGO=1.11.4 $(WITH_TOOLS) pytest $(ON_ALL_CORES) -m "not argocd and not cluster and not torture" \
	    tests/contract tests/test_chart.py tests/text/test_semver.py tests/text/test_image_references.py tests/unit

# What fails names the seed: with the same one, the same moments are tried again.
.PHONY: torture
torture: venv-dev ## Try 10,000 generated units, and disturb runs anywhere: kills, Ctrl-C, full disks (an hour) [SEED=13 ROUNDS=1000 PYTEST_ARGS=]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@seed=$(if $(value SEED),$(call quoted,SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')); echo "SEED=$$seed"; \
	    KARGO_FLEET_TORTURE_SEED="$$seed" KARGO_FLEET_TORTURE_ROUNDS=$(if $(value ROUNDS),$(call quoted,ROUNDS),100) \
	    $(WITH_TOOLS) pytest $(ON_ALL_CORES) -m torture $(PYTEST_ARGS)

.PHONY: test-argocd
test-argocd: venv-dev ## Render the ApplicationSets with Argo CD's own code (minutes to build the first time) [PYTEST_ARGS=]
	@$(BOOT)/go.sh
	@$(WITH_TOOLS) pytest -m argocd $(PYTEST_ARGS)

# These are only used if they are passed to make: an exported KUBECONFIG may be any cluster.
ON_CLUSTER = $(if $(filter command,$(origin KUBECONFIG)),KARGO_FLEET_TEST_KUBECONFIG='$(subst ','\'',$(abspath $(value KUBECONFIG)))' \
    KARGO_FLEET_TEST_REGISTRY=$(call quoted,REGISTRY) KARGO_FLEET_TEST_GIT_REPO_URL=$(call quoted,GIT_REPO_URL))

.PHONY: test-cluster
test-cluster: venv-dev ## Test on a real API server, under Argo CD's controllers (minutes to build the first time) [KUBECONFIG= REGISTRY= GIT_REPO_URL= PYTEST_ARGS=]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm ct
	@$(ON_CLUSTER) $(WITH_TOOLS) pytest -m cluster $(PYTEST_ARGS)

.PHONY: try
try: venv-dev ## Try the product on a control plane of its own, without a cluster (minutes to build the first time)
	@PYTHONPATH=tests .venv/bin/python -m on_cluster announce
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@PYTHONPATH=tests $(WITH_TOOLS) python -m on_cluster try

.PHONY: cluster-up
cluster-up: venv-dev ## Start a control plane with a stand-in for Kargo, and print its KUBECONFIG
	@$(BOOT)/go.sh
	@PYTHONPATH=tests $(WITH_TOOLS) python -m on_cluster up

.PHONY: cluster-down
cluster-down: venv-dev ## Stop the control plane of cluster-up
	@PYTHONPATH=tests $(WITH_TOOLS) python -m on_cluster down

.PHONY: measure-cluster
measure-cluster: venv-dev ## Measure a large fleet on the test cluster: ApplicationSet, split, deploy [SERVICES=1000]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@PYTHONPATH=tests:. $(WITH_TOOLS) python -m on_cluster.scale $(or $(call option,SERVICES,--services),--services 1000)

.PHONY: measure-etcd
measure-etcd: venv-dev ## Measure the size of objects in etcd, for `kargo-fleet capacity`
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@PYTHONPATH=tests:. $(WITH_TOOLS) python -m on_cluster measure

.PHONY: bench
bench: ## Compare the tool with others, and write docs/benchmarks.md [SIZES="100 1000 10000" ROUNDS=3 LIMIT=60 BENCH_ARGS=]
	@$(BOOT)/venv.sh bench
	@$(BOOT)/tool.sh helm
	@$(BOOT)/bench.sh
	@.venv/bin/python -m bench run $(if $(value SIZES),--sizes $(call each,SIZES)) $(call option,ROUNDS,--rounds) $(call option,LIMIT,--limit) $(BENCH_ARGS)

.PHONY: lint
lint: venv-dev ## Check the Python code: ruff, mypy --strict, the direction of imports
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy --strict tools/kargo_fleet tools/release bench
	@.venv/bin/lint-imports --no-cache

.PHONY: format
format: venv-dev ## Format the Python code and fix what ruff can fix
	@.venv/bin/ruff check --fix-only
	@.venv/bin/ruff format

.PHONY: docs
docs: ## Write the chart's README.md from values.yaml
	@$(BOOT)/tool.sh helm-docs
	@$(BOOT)/docs.sh charts

.PHONY: schema
schema: venv ## Write the JSON Schemas of fleet.yaml and kargo.yaml
	@$(FLEET) schema

.PHONY: kargo-schemas
kargo-schemas: venv-dev ## Write what is known of the config of Kargo's steps, from its Go module
	@$(BOOT)/go.sh
	@PYTHONPATH=tests $(WITH_TOOLS) python -m contract.step_data

.PHONY: verify
verify: venv ## Check that all generated files are current; write nothing
	@$(BOOT)/tool.sh helm-docs
	@$(BOOT)/verify.sh

##@ This repository

.PHONY: tools
tools: venv-dev ## Build all tools that the other targets need
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm ct helm-unittest kubeconform helm-docs

.PHONY: requirements
requirements: ## Pin requirements*.txt from pyproject.toml again [UPGRADE=1]
	@$(BOOT)/requirements.sh $(if $(call on,UPGRADE),--upgrade)

.PHONY: dist
dist: venv-dev ## Build sdist, wheel, chart, SBOM and checksums of the commit into dist/: the same bytes every time
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@PYTHONPATH=tools $(WITH_TOOLS) python -m release.dist

.PHONY: audit
audit: venv ## Look up the pinned dependencies in databases of vulnerabilities. Needs network access [OSV_URL= VULNDB_URL=]
	@$(BOOT)/audit.sh
	@PYTHONPATH=tools $(WITH_TOOLS) python -m release.audit $(call option,OSV_URL,--osv-url) $(call option,VULNDB_URL,--vulndb-url)

.PHONY: clean
clean: ## Remove everything that was built
	@rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv venv-dev
venv:
	@$(BOOT)/venv.sh run
venv-dev: venv
	@$(BOOT)/venv.sh dev
