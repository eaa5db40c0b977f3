# What people and CI run. Everything is installed into $(VENV) by the first target that needs it, in the versions
# and with the hashes of orchestrator/locks; `make upgrade` renews these.
# The first of these that runs and is new enough; version managers leave names behind that do not run.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for name in python3.11 python3 python3.14 python3.13 python3.12; do \
  $$name $(NEW_ENOUGH) >/dev/null 2>&1 && echo $$name && break; done)
VENV ?= .venv
# Tests run side by side on this many processes: more than cores, since they wait for programs part of the time,
# and no more than that: each process imports and collects all tests, which takes it several seconds.
JOBS ?= 3
# Temporary folders of the tests are in memory where the machine has a file system for that; TMPDIR says another.
IN_MEMORY = TMPDIR=$$($(BIN)/python -m tests.support.memory_folder)
# `newest` ignores the lock files: whether infra works with what was released since, or where they have no wheel.
PINS ?= locked

BIN := $(VENV)/bin
comma := ,
LOCKS := orchestrator/locks
PIP := $(BIN)/python -I -m pip --disable-pip-version-check install --quiet
# The workflows of this repository are an example, with a source that does not exist.
EXAMPLE := --repository example/infrastructure --trunk main --environment dev --environment staging \
  --environment prod --from git+https://github.com/example/infra@0123456789abcdef0123456789abcdef01234567

# Without its compiled modules every program that a test starts compiles all of infra again, and every process of
# the tests all of the tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-svg gallery test portal-test modules soak real-aws real-google real-rego real-backstage lint format bench upgrade clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Watch a real change go from a branch to production, on a cloud in a folder.
	@$(BIN)/infra demo

demo-svg: $(VENV)/.demo ## Make docs/demo.svg, the picture in the README, from the real demo.
	@$(BIN)/infra demo --svg docs/demo.svg

gallery: $(VENV)/.dev ## Make the pictures of docs/gallery.md and docs/portal.md again; this wants Chromium.
	@$(BIN)/python -m tests.support.gallery && $(BIN)/python -m tests.support.portal_pictures

test: $(VENV)/.dev $(VENV)/.tools ## Run the tests.
	@$(IN_MEMORY) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal \
	  -m "not soak and not real and not portal" --durations=20 --durations-min=1

coverage: $(VENV)/.dev $(VENV)/.tools ## Run the tests, and print how much of each branch they cover; a third slower.
	@$(BIN)/coverage erase
	@$(IN_MEMORY) $(BIN)/coverage run -m pytest -n $(JOBS) --dist worksteal \
	  -m "not soak and not real and not portal"; status=$$?; \
	  $(BIN)/coverage combine --quiet && $(BIN)/coverage report; exit $$status

# The accessibility checks of axe-core run in the page itself.
AXE := axe-core@4.14.1
portal-test: $(VENV)/.dev ## Test the pages of the portal in Chromium: every width, light and dark, axe-core.
	@command -v chromium chromium-browser google-chrome chrome >/dev/null || { \
	  echo "The tests of the portal's pages are skipped: there is no Chromium (apt-get install chromium)"; exit; }; \
	[ -f $(VENV)/axe/node_modules/axe-core/axe.min.js ] || \
	  npm install --silent --ignore-scripts --no-audit --no-fund --no-save --prefix $(VENV)/axe '$(AXE)' || { \
	  echo "The tests of the portal's pages are skipped: npm could not install $(AXE)"; exit; }; \
	AXE_CORE=$(abspath $(VENV))/axe/node_modules/axe-core/axe.min.js \
	  $(BIN)/python -m pytest -n 2 -m portal tests/portal

modules: $(VENV)/.dev ## Run the tests of infra/modules, on simulated providers.
	@$(BIN)/infra test --all --simulated

# Each part takes less than an hour and goes on where it stopped; results add up in .soak/results.jsonl.
PART ?=
PARTS := kills commands bucket twice clock ledger named drift fuzz properties differential warm plans
soak_kills := tests/soak/test_kills.py::test_kills
soak_commands := tests/soak/test_kills.py::test_commands
soak_bucket := tests/soak/test_kills.py::test_bucket_faults
soak_twice := tests/soak/test_kills.py::test_twice
soak_clock := tests/soak/test_kills.py::test_clock_skew
soak_ledger := tests/soak/test_kills.py::test_deleted_ledger
soak_named := tests/soak/test_kills.py::test_named
soak_drift := tests/soak/test_scheduled_checks.py
soak_fuzz := tests/soak/test_fuzz.py
soak_properties := tests/soak/test_properties.py
soak_warm := tests/soak/test_warm_providers.py
soak_differential := tests/soak/test_modules_differential.py tests/integration/test_project_affected.py
soak_plans := tests/soak/test_plan_files.py
soak: $(VENV)/.dev $(VENV)/.tools ## Run the long forms of the tests: all, or PART=kills SEED=1 ROUNDS=500.
	@status=0; SEED=$(SEED) ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -m soak \
	  $(foreach part,$(or $(PART),$(PARTS)),$(soak_$(part))) || status=1; \
	  $(BIN)/python -m tests.support.crash.results; exit $$status

# moto is installed beside infra's own packages, and only where a provider is there to be tested. Each of the
# three processes has a provider of its own, which takes about 0.5 GiB.
MOTO := moto[server]==5.2.1
real-aws: $(VENV)/.dev ## Test the real AWS provider that TF_CLI_CONFIG_FILE leads to, against moto; PART=short: some.
	@if [ ! -f "$$TF_CLI_CONFIG_FILE" ]; then \
	  echo "The tests of the real AWS provider are skipped: TF_CLI_CONFIG_FILE names no file"; exit; \
	fi; \
	[ -x $(VENV)/moto/bin/moto_server ] || { \
	  $(BIN)/python -m venv $(VENV)/moto && \
	  $(VENV)/moto/bin/python -I -m pip --disable-pip-version-check install --quiet '$(MOTO)' || \
	  echo "moto could not be installed: these tests are skipped" >&2; }; \
	MOTO_SERVER=$(abspath $(VENV))/moto/bin/moto_server \
	  $(BIN)/python -m pytest -n $(if $(filter short,$(PART)),2,3) --dist worksteal -v -rs \
	  -m "real$(if $(filter short,$(PART)), and short)" tests/real/test_aws*.py

PROVIDER ?=
real-google: $(VENV)/.dev ## Test the real google provider: make real-google PROVIDER=PATH of its binary.
	@GOOGLE_PROVIDER=$(PROVIDER) $(BIN)/python -m pytest -m real -v tests/real/test_google.py

# Building it takes Go a minute or two, so it is no part of `make test`.
OPA := github.com/open-policy-agent/opa@v1.6.0
CONFTEST := github.com/open-policy-agent/conftest@v0.71.1
BACKSTAGE := @backstage/catalog-model@1.10.3 @backstage/plugin-scaffolder-common@2.4.0
real-rego: $(VENV)/.dev ## Test rules in Rego with the real opa and conftest, which Go builds.
	@if ! command -v go >/dev/null; then \
	  echo "The tests with opa and conftest are skipped: Go is not installed"; exit; fi; \
	GOBIN="$(abspath $(VENV))/rego" go install $(OPA) && \
	  GOBIN="$(abspath $(VENV))/rego" go install $(CONFTEST) && \
	  PATH="$(abspath $(VENV))/rego:$$PATH" $(BIN)/python -m pytest -q tests/unit/plan/test_rego.py

real-backstage: $(VENV)/.dev ## Check entities and forms with Backstage's own packages, which npm installs.
	@if ! command -v npm >/dev/null; then \
	  echo "The tests with Backstage are skipped: npm is not installed"; exit; fi; \
	npm install --silent --ignore-scripts --prefix "$(abspath $(VENV))/backstage" $(BACKSTAGE) && \
	  BACKSTAGE="$(abspath $(VENV))/backstage" $(BIN)/python -m pytest -q -m real tests/real/test_backstage.py

lint: $(VENV)/.dev ## Check style, types, which room may import which, and the Terraform under infra/.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/infra lint --simulated

format: $(VENV)/.dev ## Format the Python files.
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure, and print ratios.
	@status=0; for file in $$(grep -l __main__ bench/*.py); do \
	  name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m bench.$$name || status=1; \
	done; exit $$status

upgrade: $(VENV)/.dev ## Renew orchestrator/locks with the newest versions that pyproject.toml allows.
	@$(PIP) -r $(LOCKS)/upgrade.txt
	@UV=$(abspath $(BIN))/uv $(BIN)/python -I .ci/lock.py
	@$(BIN)/infra init $(EXAMPLE) --force > /dev/null

clean: ## Remove what these targets made, the virtual environment included.
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(or $(PYTHON),false) $(NEW_ENOUGH) || \
	  { echo "This needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# Stamps: setup is repeated only when what is to be installed has changed.
ifeq ($(PINS),newest)
$(VENV)/.demo $(VENV)/.dev: $(VENV)/.%: pyproject.toml | $(BIN)/python
	@echo "Installing infra with the newest of everything"
	@$(PIP) --upgrade --editable '.[$(if $(filter demo,$*),catalog$(comma)embedded$(comma)sandbox,$*)]'
	@touch $@ $(if $(filter dev,$*),$(VENV)/.demo)
else
$(VENV)/.build: $(LOCKS)/build.txt | $(BIN)/python
	@$(PIP) -r $<
	@touch $@

$(VENV)/.demo $(VENV)/.dev: $(VENV)/.%: $(LOCKS)/%.txt pyproject.toml $(VENV)/.build
	@echo "Installing infra and what '$(if $(filter demo,$*),make demo,make test)' needs"
	@$(PIP) --no-build-isolation -r $<
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@ $(if $(filter dev,$*),$(VENV)/.demo)
endif

# Programs that run and check the workflows. Without Go, or without its proxy, their tests are skipped and say so.
ACT := github.com/nektos/act@v0.2.89
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# It brings the published schemas of other CIs' pipelines, and has a virtual environment of its own.
CHECK_JSONSCHEMA := check-jsonschema==0.39.0
$(VENV)/.tools: Makefile | $(VENV)/.dev
	@if command -v go >/dev/null; then \
	  echo "Installing act and actionlint"; \
	  GOBIN="$(abspath $(BIN))" go install $(ACT) && GOBIN="$(abspath $(BIN))" go install $(ACTIONLINT) \
	    || echo "They could not be installed: tests that need them are skipped" >&2; \
	fi
	@$(BIN)/python -m venv $(VENV)/schemas && \
	  $(VENV)/schemas/bin/python -I -m pip --disable-pip-version-check install --quiet '$(CHECK_JSONSCHEMA)' || \
	  echo "The schemas of pipelines could not be installed: their test is skipped" >&2
	@touch $@
