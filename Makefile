# Everything a person or CI does with the project. `make demo` and `make test` do all the set-up themselves.
# PYTHON is the name or path of an interpreter, by default the first of these that works. Each version has an environment.
PYTHON ?= python3.11 python3.12 python3.13 python3.14
INTERPRETER := $(shell .ci/find-python $(PYTHON) 2>/dev/null)
VENV := .venv/$(firstword $(INTERPRETER))
BIN := $(VENV)/bin
ARGS ?=
# Without bytecode, each of the many processes that tests start compiles the program again.
unexport PYTHONDONTWRITEBYTECODE
MINUTES ?= 15

.PHONY: help demo run test check lint types unit coverage bench bench-quick bench-fleet bench-grafana bench-webhooks soak soak-webhooks bad-evening soak-fleet fuzz mutants generated grafana render test-container test-cluster test-engines manifests chart requirements lock-check test-oldest sbom release-check clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# Installs the pins without a resolver; `pip check` fails if they are not complete.
define install
$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r $(1)
$(BIN)/python -m pip check --disable-pip-version-check
endef

# Any change of the pins starts a new environment, so that nothing that was installed before can hide a missing pin.
$(VENV)/run.done: requirements/run.txt requirements/dev.txt
	@.ci/find-python $(PYTHON) >/dev/null
	@echo "Installing the libraries into $(VENV); about half a minute, once"
	$(lastword $(INTERPRETER)) -m venv $(if $(wildcard $@),--clear) $(VENV)
	$(call install,requirements/run.txt)
	@touch $@

$(VENV)/dev.done: $(VENV)/run.done
	@echo "Installing the development tools into $(VENV); about a minute, once"
	$(call install,requirements/dev.txt)
	@touch $@

# Over the environment with all pins: only the libraries are old, since the age of the development tools concerns no user.
$(VENV)/oldest.done: requirements/oldest.txt $(VENV)/dev.done
	$(call install,requirements/oldest.txt)
	@touch $@

demo:  ## serve a simulated Livepeer Studio; no account needed: make demo ARGS="--web.listen-address 127.0.0.1:9999"
	@echo "Starting an exporter that polls a simulated Livepeer Studio on this machine."
	@$(MAKE) --silent --no-print-directory $(VENV)/run.done
	@exec $(BIN)/python -m exporter demo $(ARGS)

run: $(VENV)/run.done  ## serve a real account: LIVEPEER_API_KEY=... make run
	@exec $(BIN)/python -m exporter $(ARGS)

# The tests wait for a part of their time, so the checks cost little beside them.
test: $(VENV)/dev.done  ## everything that must hold before a change lands
	@$(MAKE) --no-print-directory --jobs 3 lint types coverage

check: $(VENV)/dev.done  ## style and types, side by side
	@$(MAKE) --no-print-directory --jobs 2 lint types

lint: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/words.py
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema -q --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/zizmor --offline --pedantic --quiet .github

types: $(VENV)/dev.done
	$(BIN)/mypy

unit: $(VENV)/dev.done  ## the tests alone: make unit ARGS="-k U01"
	$(BIN)/python -m pytest $(ARGS)

coverage: $(VENV)/dev.done
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-report=term:skip-covered --cov-fail-under=95 $(ARGS)

test-oldest:  ## the tests with the oldest versions that pyproject.toml allows: libraries and Python
	@$(MAKE) --no-print-directory PYTHON=python3.11 VENV=.venv/oldest .venv/oldest/oldest.done
	.venv/oldest/bin/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

bench: $(VENV)/dev.done  ## compare the cost with other programs; several minutes: make bench ARGS="--sessions 100000"
	$(BIN)/python -m tests.bench $(ARGS)

bench-quick: $(VENV)/dev.done  ## the same with 1,000 sessions, under a minute
	$(BIN)/python -m tests.bench --quick $(ARGS)

bench-fleet: $(VENV)/dev.done  ## the cost of a million sessions in 500 accounts, and of one account with 10,000, or in 4 shards; a quarter of an hour, 2 GB
	$(BIN)/python -m tests.bench.fleet $(ARGS)

bench-grafana: $(VENV)/dev.done  ## what dashboards and rules cost Prometheus with 10,000 sessions; 7 GB, 15 minutes: make bench-grafana ARGS="--data DIR"
	$(BIN)/python -m tests.bench.grafana $(ARGS)

bench-webhooks: $(VENV)/dev.done  ## from an event to the metrics page, with and without webhooks; 12 minutes: make bench-webhooks ARGS="--minutes 5"
	$(BIN)/python -m tests.bench.webhooks $(ARGS)

mutants: $(VENV)/dev.done  ## mutation tests of exporter/sessions, metrics and webhooks, as a list of the mutants that survive
	$(BIN)/python -m mutmut run $(ARGS)
	$(BIN)/python -m mutmut results

generated: $(VENV)/dev.done  ## write the golden page, the tables of the docs, the dashboards and the rules
	$(BIN)/python -m tests.golden
	$(BIN)/python -m tests.support.generated_docs
	$(BIN)/python -m grafana.builder

grafana: $(VENV)/dev.done  ## build the dashboards and rules from their source
	$(BIN)/python -m grafana.builder

render: $(VENV)/dev.done  ## draw the dashboards' panels with Grafana's own parts; needs npm and chromium
	cd grafana/render && npm install --no-package-lock --ignore-scripts --legacy-peer-deps
	$(BIN)/python -m grafana.render.render

test-container: $(VENV)/run.done  ## build the image and try it; needs mmdebstrap, buildah, podman and runc
	PYTHON=$(BIN)/python deploy/container/smoke.sh

test-cluster: $(VENV)/dev.done  ## try manifests, chart and their docs on a real API server; needs Go, builds for long once
	$(BIN)/python -m tests.cluster $(ARGS)

test-engines: $(VENV)/dev.done  ## try queries, rules and scrapes on Prometheus 3, VictoriaMetrics and Thanos; needs Go, builds for long once
	$(BIN)/python -m tests.engines $(ARGS)

manifests:  ## render the Kubernetes examples; needs kubectl or kustomize
	deploy/kubernetes/render.sh

chart:  ## render the Helm chart with each file of deploy/helm/values; needs helm
	deploy/helm/render.sh

soak: $(VENV)/dev.done  ## run with faults, turnover and demanding scrapers: make soak MINUTES=15
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)

soak-webhooks: $(VENV)/dev.done  ## 1,000 webhooks a second for half a minute, while the page is scraped: make soak-webhooks ARGS="--seconds 90"
	$(BIN)/python -m tests.soak.webhook_flood $(ARGS)

bad-evening: $(VENV)/dev.done  ## 27 faults: which alerts fire, and what Alertmanager sends; takes 8 minutes
	$(BIN)/python -m tests.bad_evening

soak-fleet: $(VENV)/dev.done  ## a simulated day with accounts that come and go, at speed: make soak-fleet ARGS="--hours 24"
	$(BIN)/python -m tests.fleet.day $(ARGS)

fuzz: $(VENV)/dev.done  ## random pages, schedules of changes, requests and histories: make fuzz ARGS="--pages 1000 --schedules 100 --requests 1000 --lifecycles 1000"
	$(BIN)/python -m tests.fuzz $(ARGS)

sbom: $(VENV)/dev.done  ## the software bill of materials, CycloneDX, into dist/sbom.json
	@mkdir -p dist
	$(BIN)/python -W ignore -m cyclonedx_py requirements --output-reproducible --pyproject pyproject.toml requirements/run.txt \
	  | $(BIN)/python -m deploy.sbom requirements/run.txt > dist/sbom.json

release-check: $(VENV)/dev.done  ## build, check and try what would be released: make release-check ARGS="--tests"
	$(BIN)/python -m deploy.release_check $(ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make requirements" $(ARGS)

requirements: $(VENV)/dev.done  ## pin what pyproject.toml declares, for every Python; to upgrade: make requirements ARGS=--upgrade
	$(COMPILE) --output-file requirements/run.txt pyproject.toml
	$(COMPILE) --output-file requirements/dev.txt --group dev --constraint requirements/run.txt pyproject.toml
	$(COMPILE) --output-file requirements/oldest.txt --resolution lowest-direct pyproject.toml
	$(COMPILE) --output-file deploy/container/build.txt deploy/container/build.in

lock-check:  ## install the pins from nothing with every Python found, and check that none is missing
	@.ci/lock-check $(PYTHON)

clean:  ## remove what was installed and built
	rm -rf .venv mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage dist build
