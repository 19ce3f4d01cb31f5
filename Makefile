# make, or make help, lists what there is.

golangci := v2.15.0
# Built once for this machine, outside of the repository. A linter must be
# built by a Go that is no older than the code that it reads.
cache  = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sluice
linter = $(cache)/golangci-lint-$(golangci)-$(shell go env GOVERSION)/golangci-lint

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/sluice
	go build -o bin/ ./cmd/sluice

.PHONY: test
test: ## vet, test under the race detector, run the examples
	.ci/need redis-server redis-server
	go vet ./...
	go test -race ./...
	.ci/examples

.PHONY: lint
lint: ## check style, common faults and who imports whom
	@test -x $(linter) || { echo "building golangci-lint $(golangci), once: about two minutes"; \
		GOBIN=$(dir $(linter)) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(golangci); }
	.ci/sleeps
	$(linter) run ./...

.PHONY: example
example: ## render a short film on this machine: out/render/film.gif
	manifests/examples/render/render.sh

.PHONY: bench
bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: scaling
scaling: ## simulate the plan beside KEDA's: docs/scaling.md and its picture
	go run ./integration/scaling -svg docs/scaling.svg > docs/scaling.md

.PHONY: clean
clean: ## remove bin and out
	rm -rf bin out
