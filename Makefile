# Staffetta. `make help` lists what there is.

CARGO ?= cargo
ARGS ?=

.PHONY: help run test lint bench

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## two whole platforms on this machine, mail flowing between them; ARGS="--help" for options
	@deploy/packages run
	$(CARGO) run --quiet -p staffetta-local -- $(ARGS)

test: lint ## everything: lint, unit, contract, behaviour, interop with real clients and servers
	@deploy/packages test
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace $(ARGS)

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench: ## the benchmarks, release build; ARGS="--help" for options
	@deploy/packages bench
	$(CARGO) build --release --workspace --bins
	$(CARGO) run --release -p staffetta-tests --bin bench -- $(ARGS)
