# The same words on a laptop and in the pipeline. Needed: Go, git and make; everything else is set up on the way.

GO_VERSION := 1.26
DOCKER     ?= docker
LINTER     := .bin/golangci-lint
# Every module with tests. The sample application is one of its own, as a user's would be; so is what takes an
# interpreter to test with, which no pipe should carry.
MODULES    := . examples/web tools/grammar

# The race detector needs a C compiler; without one go reports cgo as off.
race = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
# Two packages at a time, however many cores there are: compiling the EC2 SDK alone takes 3 GB, linking a test that
# holds it 1 GB, and the tests in real time start servers and count seconds, which a machine that compiles on all
# cores makes wrong. The timeout is for each package; a busy machine takes five times as long.
TESTFLAGS ?= -p 2 -timeout 20m

# Packages whose tests try hundreds of faults, of which only one in eight under the race detector.
sweeps = $(sort $(addprefix ./,$(dir $(shell grep -rl --include='*_test.go' '^func TestEveryCallCanFail' pipes))))

.PHONY: help demo test soak lint gate bench image docs docs-check ci need
.DEFAULT_GOAL := help

help: ## print these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: need ## bake three commits of the sample application on the local cloud, release them under load, roll back, show two side by side
	go run ./demo

test: need $(LINTER) ## run all tests, with the race detector where there is a C compiler
	@tools/linters/setup || [ $$? = 77 ]
	@tools/frameworks/setup || [ $$? = 77 ]
	@[ -n "$(race)" ] || echo "No C compiler ($$(go env CC)) here, so the tests run WITHOUT the race detector."
	@[ -z "$(race)" ] || go run ./tools/tally . -- $(TESTFLAGS) -run '^TestEveryCallCanFail$$' $(sweeps)
	go run ./tools/tally $(MODULES) -- $(race) $(TESTFLAGS) ./...

soak: need ## replace images under traffic for five minutes; no request may fail
	go run ./demo/soak

lint: need $(LINTER) ## hold every module to .golangci.yml, and to a tidy go.mod
	@for module in $(MODULES); do \
		echo "$(LINTER) in $$module"; \
		(cd $$module && $(CURDIR)/$(LINTER) run --config $(CURDIR)/.golangci.yml ./...) || failed=1; \
		(cd $$module && go mod tidy -diff) || failed=1; \
	done; [ -z "$$failed" ]

gate: need $(LINTER) ## ask lint-gate whether the change adds findings, as a pipeline of its users does
	CGO_ENABLED=0 go build -o .bin/lint-gate ./pipes/lint-gate
	PATH=$(CURDIR)/.bin:$$PATH .bin/lint-gate

bench: need $(LINTER) ## measure the pipes against their targets
	go run ./tools/bench

docs: need ## write pipe.yml and the tables of variables anew from the settings structs
	go run ./tools/docs

docs-check: need ## fail when `make docs` changes anything
	@state() { git diff; git status --porcelain; }; \
	before=$$(state); $(MAKE) --no-print-directory docs; \
	[ "$$before" = "$$(state)" ] || { git status --short; echo "The docs are behind the code: run 'make docs' and commit what it wrote."; exit 1; }

image: need ## build the Docker image of every pipe, where a Docker engine is present
	DOCKER="$(DOCKER)" tools/image/build

ci: ## everything that the pipeline checks
	.ci/run

need:
	@command -v git >/dev/null || { echo "git was not found: install it first (Debian, Ubuntu: apt-get install git)."; exit 1; }
	@command -v go >/dev/null || { echo "Go was not found: install $(GO_VERSION) or newer first, see https://go.dev/doc/install."; exit 1; }
	@case "$$(go version)" in *" go1.2"[6-9]*|*" go1."[3-9][0-9]*|*" go"[2-9]*|*devel*) ;; \
		*) echo "Go $(GO_VERSION) or newer is needed, and this is $$(GOTOOLCHAIN=local go version): see https://go.dev/doc/install."; exit 1;; esac

# Built from its pinned sources in a module of its own, so that nothing of it is in go.mod; takes two minutes, once.
$(LINTER): tools/lint/go.mod tools/lint/go.sum
	@echo "building $(LINTER), once: about two minutes"
	cd tools/lint && GOBIN=$(CURDIR)/.bin go install tool
	@touch $@
