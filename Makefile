# The verbs that people and CI use. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test cluster test-cluster chaos sim laws lint fmt dist bench fuzz api-fuzz verify docs-check k8s-check co-update

# Properties draw the same cases in every run of the gate; `make laws` draws others.
export PROPTEST_RNG_SEED ?= 1

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what this machine misses; afterwards everything works offline
	@deploy/setup/setup.sh all

demo: ## replay real and generated gateway events and show the result
	@deploy/setup/setup.sh build
	@deploy/setup/demo.sh

test: ## set up and run every test
	@deploy/setup/setup.sh build
	@. deploy/setup/env.sh && cargo test --workspace --locked

# A broker of its own for one command, unless NAAP_KAFKA_BOOTSTRAP names one.
with_kafka = . deploy/setup/env.sh && folder=$$(mktemp -d) && trap 'deploy/setup/kafka.sh wipe "$$folder"' EXIT && \
	if [ -z "$${NAAP_KAFKA_BOOTSTRAP:-}" ]; then \
	    NAAP_KAFKA_BOOTSTRAP=$$(deploy/setup/kafka.sh start "$$folder" $(1)) && NAAP_KAFKA_FOLDER=$$folder && \
	    export NAAP_KAFKA_BOOTSTRAP NAAP_KAFKA_FOLDER; fi

cluster: ## NODES (3) nodes over a real Kafka, a generated stream and their state, until Ctrl-C
	@deploy/setup/setup.sh cluster
	@. deploy/setup/env.sh && cargo build --workspace --bins --examples --locked
	@$(call with_kafka,19792) && target/debug/examples/cluster

test-cluster: ## tests of several nodes against a real Kafka, which is started and stopped
	@deploy/setup/setup.sh cluster
	@. deploy/setup/env.sh && cargo test --workspace --no-run --locked
	@$(call with_kafka,19392) && \
	cargo test --workspace --locked --test cluster --test kafka -- --ignored --test-threads 1

chaos: ## how long a cluster stands still when nodes die, move or stall: a table, in about 35 minutes
	@deploy/setup/setup.sh cluster
	@. deploy/setup/env.sh && cargo build --release --locked --bin naap && cargo test --release --workspace --locked --test chaos --no-run
	@$(call with_kafka,19592) && \
	cargo test --release --workspace --locked --test chaos -- --ignored --test-threads 1 --nocapture | tee "$$folder/said" && \
	printf '\n| what | goal | figure |\n|---|---|---|\n' && grep '^|' "$$folder/said"

sim: ## random schedules of a small cluster: RUNS of them, or the one of SEED
	@. deploy/setup/env.sh && NAAP_SIM_SEED=$${SEED:-} NAAP_SIM_RUNS=$${RUNS:-2000} \
	cargo test -p naap-actors --locked --test simulation -- random

laws: ## every property with other random cases, RUNS (5) times; a failure names its seed
	@. deploy/setup/env.sh && for run in $$(seq $${RUNS:-5}); do \
	    export PROPTEST_RNG_SEED=$$RANDOM$$RANDOM; echo "== PROPTEST_RNG_SEED=$$PROPTEST_RNG_SEED (run $$run)"; \
	    cargo test --workspace --locked --no-fail-fast \
	        --lib --test suite --test frames --test state --test reference --test identity --test expired; \
	done

lint: ## formatting, clippy, rustdoc, licences, spelling, shell, docs, names, manifests, HTTP interface
	@deploy/setup/setup.sh all
	@deploy/checks/lint.sh

fmt: ## format the Rust code
	@cargo fmt --all

dist: ## build naap as it is shipped, guided by a replay: target/dist/naap, in 20 minutes from nothing
	@deploy/setup/setup.sh build
	@deploy/setup/dist.sh

bench: ## measure events per CPU-second (see docs/performance.md)
	@deploy/setup/setup.sh build
	@deploy/setup/bench.sh

fuzz: ## run every fuzz target for NAAP_FUZZ_SECONDS (default 60)
	@deploy/setup/setup.sh all
	@deploy/setup/fuzz.sh

api-fuzz: ## ask the HTTP interface what its document allows, and what not
	@deploy/setup/setup.sh all
	@deploy/checks/api_fuzz.sh

verify: ## replay a generated network, check its facts, and test the checks
	@deploy/setup/setup.sh build
	@. deploy/setup/env.sh && cargo test -p naap-tests --test verify --locked

docs-check: ## links, anchors, front matter, commands in examples, markdown style
	@deploy/setup/setup.sh tools
	@deploy/checks/docs.sh

k8s-check: ## render the manifests and check them against the schemas
	@deploy/setup/setup.sh tools
	@deploy/checks/k8s.sh

co-update: ## what a change since BASE (default HEAD~1) must also touch
	@python3 deploy/checks/coupdate.py --base $${BASE:-HEAD~1}
