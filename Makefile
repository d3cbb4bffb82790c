# The short way to the usual commands. What they need is built on first use, into .venv/ and .tools/, both ignored by Git.
# Python 3.11 or newer is all that must be there; PYTHON=python3.12 chooses one.

SHELL := /bin/sh
.DEFAULT_GOAL := help

export PYTHON
CHART := charts/kargo-service
BOOT  := tools/bootstrap
FLEET := .venv/bin/kargo-fleet
# Tests and linters find helm, ct, kubeconform, helm-unittest, helm-docs and go here first, then what the virtual environment has.
WITH_TOOLS = GOTOOLCHAIN=local PATH="$(CURDIR)/.tools/bin:$(CURDIR)/.venv/bin:$$PATH"

# on NAME: is NAME=1 (true, yes) given?
on = $(filter 1 true yes,$($(1)))
# option NAME,--option: --option 'value' if NAME is given.
option = $(if $($(1)),$(2) '$($(1))')

##@ The fleet

.PHONY: values
values: venv ## Write values/ and argocd/ from services/ [SERVICE= IMAGE_REPOSITORY= GIT_REPO_URL= FORCE=1 PRUNE=1 DRY_RUN=1 DIFF=1]
	@$(FLEET) generate $(SERVICE) $(call option,IMAGE_REPOSITORY,--image-repository) $(call option,GIT_REPO_URL,--git-repo-url) \
	    $(if $(call on,FORCE),--force) $(if $(call on,PRUNE),--prune) $(if $(call on,DRY_RUN),--dry-run) $(if $(call on,DIFF),--diff)

.PHONY: check
check: venv ## Check every service and that values/ and argocd/ are current; write nothing
	@$(FLEET) check

.PHONY: plan
plan: venv ## Say what the fleet asks of the cluster, what breaks first, what to set [SERVICES=5000 INTERVAL=1h SHARDS=2]
	@$(BOOT)/tool.sh helm
	@$(WITH_HELM) $(FLEET) plan $(call option,SERVICES,--services) $(call option,INTERVAL,--interval) $(call option,SHARDS,--shards)

.PHONY: template
template: ## Print what Helm installs for one service: make template SERVICE=nginx
	@$(BOOT)/service.sh '$(SERVICE)'
	@$(BOOT)/tool.sh helm
	@.tools/bin/helm template '$(SERVICE)' $(CHART) --values 'values/$(SERVICE).yaml'

.PHONY: render
render: venv ## Print the manifests of every unit [SERVICE= OUTPUT_DIR=manifests VALIDATE=1]
	@$(BOOT)/tool.sh helm
	@$(if $(call on,VALIDATE),$(BOOT)/crds.sh)
	@$(WITH_HELM) $(FLEET) render $(SERVICE) $(call option,OUTPUT_DIR,--output-dir) $(if $(call on,VALIDATE),--validate)

##@ The cluster

# kubectl is yours: it has to fit the cluster. A helm that fits is used as it is, else one is built.
WITH_HELM = PATH="$(CURDIR)/.tools/bin:$$PATH"

.PHONY: deploy
deploy: venv ## Install or upgrade units with Helm, without Argo CD [SERVICE= CONTEXT= DRY_RUN=1 YES=1 FORCE=1]
	@$(BOOT)/tool.sh helm
	@$(WITH_HELM) $(FLEET) deploy $(SERVICE) $(call option,CONTEXT,--context) $(if $(call on,DRY_RUN),--dry-run) \
	    $(if $(call on,YES),--yes) $(if $(call on,FORCE),--force)

.PHONY: delete
delete: venv ## Take units out of the cluster, with their history: make delete SERVICE=nginx [CONTEXT= YES=1]
	@$(BOOT)/tool.sh helm
	@$(WITH_HELM) $(FLEET) delete $(SERVICE) $(call option,CONTEXT,--context) $(if $(call on,YES),--yes)

.PHONY: doctor
doctor: venv ## Say what is wrong with the units in the cluster, and what to do [SERVICE= CONTEXT= DRIFT=1]
	@$(if $(SERVICE)$(call on,DRIFT),$(BOOT)/tool.sh helm)
	@$(WITH_HELM) $(FLEET) doctor $(SERVICE) $(call option,CONTEXT,--context) $(if $(call on,DRIFT),--drift)

##@ The product

# On all cores. A debugger needs one process: pytest sees to that with --pdb, and PYTEST_ARGS='-n 0' does it too.
ON_ALL_CORES = -n auto --dist worksteal

.PHONY: test
test: test-chart test-python ## Prove the product: helm-unittest, ct lint, pytest [PYTEST_ARGS=]

.PHONY: test-quick
test-quick: venv-dev ## Run the tests that answer within a minute, all properties among them [PYTEST_ARGS=]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@$(WITH_TOOLS) pytest $(ON_ALL_CORES) -m "not slow and not argocd and not cluster" --hypothesis-profile quick $(PYTEST_ARGS)

.PHONY: test-chart
test-chart: venv-dev
	@$(BOOT)/tool.sh helm ct helm-unittest
	@$(WITH_TOOLS) helm-unittest --strict $(CHART)
	@$(WITH_TOOLS) ct lint --config ct.yaml --charts $(CHART)

.PHONY: test-python
test-python: venv-dev
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm ct helm-unittest kubeconform
	@$(WITH_TOOLS) pytest $(ON_ALL_CORES) -m "not argocd and not cluster" $(PYTEST_ARGS)

.PHONY: test-argocd
test-argocd: venv-dev ## Render the ApplicationSets with Argo CD's own code (minutes to build the first time)
	@$(BOOT)/go.sh
	@$(WITH_TOOLS) pytest -m argocd $(PYTEST_ARGS)

# A cluster of your own only if it is named behind make: an exported KUBECONFIG may be anything.
ON_CLUSTER = $(if $(filter command,$(origin KUBECONFIG)),KARGO_FLEET_TEST_KUBECONFIG='$(abspath $(KUBECONFIG))')

.PHONY: test-cluster
test-cluster: venv-dev ## Test on a real API server, under Argo CD's controllers (minutes to build the first time) [KUBECONFIG=]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm ct
	@$(ON_CLUSTER) $(WITH_TOOLS) pytest -m cluster $(PYTEST_ARGS)

.PHONY: cluster-up
cluster-up: venv-dev ## Start a control plane with a stand-in for Kargo; prints its KUBECONFIG
	@$(BOOT)/go.sh
	@PYTHONPATH=tests $(WITH_TOOLS) python -m on_cluster up

.PHONY: cluster-down
cluster-down: venv-dev ## Stop it
	@PYTHONPATH=tests $(WITH_TOOLS) python -m on_cluster down

.PHONY: measure-cluster
measure-cluster: venv-dev ## How long a large fleet takes on the test cluster: ApplicationSet, split, deploy [SERVICES=1000]
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@PYTHONPATH=tests:. $(WITH_TOOLS) python -m on_cluster.scale --services $(or $(SERVICES),1000)

.PHONY: measure-etcd
measure-etcd: venv-dev ## Measure what objects take in etcd, for `kargo-fleet plan`
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm
	@PYTHONPATH=tests:. $(WITH_TOOLS) python -m on_cluster measure

.PHONY: bench
bench: ## Measure the tool beside others, write docs/benchmarks.md [SIZES="100 1000 10000" ROUNDS=3 LIMIT=60 BENCH_ARGS=]
	@$(BOOT)/venv.sh bench
	@$(BOOT)/tool.sh helm
	@$(BOOT)/bench.sh
	@.venv/bin/python -m bench run $(if $(SIZES),--sizes $(SIZES)) $(call option,ROUNDS,--rounds) $(call option,LIMIT,--limit) $(BENCH_ARGS)

.PHONY: lint
lint: venv-dev ## Check the Python code: ruff, mypy --strict, the direction of imports
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy --strict tools/kargo_fleet bench
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

.PHONY: verify
verify: venv ## Check that all generated files are current; change nothing
	@$(BOOT)/tool.sh helm-docs
	@$(BOOT)/verify.sh

##@ This repository

.PHONY: tools
tools: venv-dev ## Build everything that the other targets need
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm ct helm-unittest kubeconform helm-docs

.PHONY: requirements
requirements: ## Pin requirements*.txt from pyproject.toml again [UPGRADE=1]
	@$(BOOT)/requirements.sh $(if $(call on,UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove everything that was built
	@rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv venv-dev
venv:
	@$(BOOT)/venv.sh run
venv-dev: venv
	@$(BOOT)/venv.sh dev
