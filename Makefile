# The face of the project: `make help` lists the verbs. Every verb installs what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PROVE_TICKS ?= 10000000
FUZZ_RUNS ?= 20000
FUZZ_SECONDS ?= 20
ROBOTS := wheelchair arm7 exoskeleton
SAFERL := build/bin/saferl
QUIET_CMAKE = cmake --preset $(1) --log-level=WARNING >/dev/null
CTEST = GTEST_BRIEF=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tools/lsan.supp:print_suppressions=0 \
  TSAN_OPTIONS=suppressions=$(CURDIR)/tools/tsan.supp ctest --test-dir $(1) --output-on-failure --no-tests=error -j $(JOBS)

.PHONY: torch-check help setup build programs test up demo check prove bench asan tsan fuzz coverage format clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
	  || grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

setup: ## install the packages that are missing (apt, Debian 12)
	@tools/install_deps build

build: setup ## build everything; programs land in build/bin
	@$(call QUIET_CMAKE,release)
	@cmake --build build -j $(JOBS)

programs: setup ## build saferl and saferl_rt alone
	@$(call QUIET_CMAKE,release)
	@cmake --build build -j $(JOBS) --target saferl saferl_rt

test: ## build and run every test
	@tools/install_deps test
	@$(MAKE) --no-print-directory build
	@$(call CTEST,build)

up: programs ## start every service of this machine: API on :8000, policy inference on :8001
	@$(SAFERL) up

demo: programs ## train, drive with people, print the table, write the report page
	@$(SAFERL) demo

check: ## format, tidy, room edges, sizes, requirements, links, figures, changelog
	@tools/install_deps check
	@$(call QUIET_CMAKE,release)
	@tools/check

prove: programs ## hostile closed-loop search, every robot (PROVE_TICKS=10000000)
	@for robot in $(ROBOTS); do $(SAFERL) prove safety --robot $$robot --ticks $(PROVE_TICKS) || exit; done

bench: programs ## the figures of docs/benchmarks.md, as JSON
	@for robot in $(ROBOTS); do $(SAFERL) bench tick --robot $$robot --json || exit; done
	@$(SAFERL) bench qp --json
	@$(SAFERL) bench policy --json
	@$(SAFERL) bench train --json

torch-check: build ## gradients and Fisher products against PyTorch (apt-get install python3-torch first)
	@/usr/bin/python3 tools/test_torch.py build/bin/learn_tests

asan: ## every test under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/install_deps test
	@$(call QUIET_CMAKE,asan)
	@cmake --build build/asan -j $(JOBS)
	@$(call CTEST,build/asan)

tsan: ## every test under ThreadSanitizer
	@tools/install_deps test
	@$(call QUIET_CMAKE,tsan)
	@cmake --build build/tsan -j $(JOBS)
	@$(call CTEST,build/tsan)

fuzz: ## every fuzz target for a fixed count (FUZZ_RUNS, FUZZ_SECONDS each)
	@tools/install_deps fuzz
	@$(call QUIET_CMAKE,fuzz)
	@tools/fuzz build/fuzz $(FUZZ_RUNS) $(FUZZ_SECONDS) $(JOBS)

coverage: ## line coverage of base, math, robot, safety and control
	@tools/install_deps test
	@tools/install_deps coverage
	@$(call QUIET_CMAKE,coverage)
	@tools/coverage build/coverage $(JOBS)

format: ## clang-format every source in place
	@tools/install_deps check
	@tools/check format --fix

clean: ## remove everything that was built
	@rm -rf build
