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

.PHONY: template
template: ## Print what Helm installs for one service: make template SERVICE=nginx
	@$(BOOT)/service.sh '$(SERVICE)'
	@$(BOOT)/tool.sh helm
	@.tools/bin/helm template '$(SERVICE)' $(CHART) --values 'values/$(SERVICE).yaml'

##@ The product

.PHONY: test
test: test-chart test-python ## Prove the product: helm-unittest, ct lint, pytest [PYTEST_ARGS=]

.PHONY: test-chart
test-chart: venv-dev
	@$(BOOT)/tool.sh helm ct helm-unittest
	@$(WITH_TOOLS) helm-unittest --strict $(CHART)
	@$(WITH_TOOLS) ct lint --config ct.yaml --charts $(CHART)

.PHONY: test-python
test-python: venv-dev
	@$(BOOT)/go.sh
	@$(BOOT)/tool.sh helm ct helm-unittest kubeconform
	@$(WITH_TOOLS) pytest -m "not argocd" $(PYTEST_ARGS)

.PHONY: test-argocd
test-argocd: venv-dev ## Render the ApplicationSets with Argo CD's own code (minutes to build the first time)
	@$(BOOT)/go.sh
	@$(WITH_TOOLS) pytest -m argocd $(PYTEST_ARGS)

.PHONY: lint
lint: venv-dev ## Check the Python code: ruff, mypy --strict
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy --strict tools/kargo_fleet

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
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv venv-dev
venv:
	@$(BOOT)/venv.sh run
venv-dev: venv
	@$(BOOT)/venv.sh dev
