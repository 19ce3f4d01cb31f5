# make, or make help, lists what there is.

golangci := v2.15.0
# Built once for this machine, outside of the repository. A linter must be
# built by a Go that is no older than the code that it reads.
cache  = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sluice
linter = $(cache)/golangci-lint-$(golangci)-$(shell go env GOVERSION)/golangci-lint

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/sluice
	go build -o bin/ ./cmd/sluice

.PHONY: test
test: ## vet, test under the race detector, run the examples
	.ci/need redis-server redis-server
	go vet ./...
	go test -race ./...
	.ci/examples

.PHONY: test-cluster
test-cluster: ## run Jobs on a real Kubernetes control plane, built the first time; needs root
	.ci/need cc gcc libc6-dev
	.ci/need redis-server redis-server
	.ci/need ffmpeg ffmpeg
	cd integration/kube && go run ./cmd/cluster build && go vet ./... && go test -race -p 1 -parallel 8 ./...

.PHONY: test-cluster-nats
test-cluster-nats: ## run the coordinator's tests of test-cluster on NATS instead of Redis
	.ci/need cc gcc libc6-dev
	cd integration/kube && go run ./cmd/cluster build && go test -race -count 1 -timeout 30m -parallel 8 ./coordinator -args -nats

.PHONY: test-soak
test-soak: ## watch a coordinator on that control plane for ten minutes in which little happens
	.ci/need cc gcc libc6-dev
	.ci/need redis-server redis-server
	cd integration/kube && go run ./cmd/cluster build && go test -race -tags soak -v -count 1 -timeout 30m -run 'ForTwoMinutes|ForTenMinutes' ./coordinator

.PHONY: bench-cluster
bench-cluster: ## measure a coordinator beside kubectl, in writes, idle, and with a thousand WorkQueues
	cd integration/kube && go test -tags speed -v -count 1 -timeout 20m -run 'BesideKubectl|OfAThousandItems|ManyWorkQueues' ./coordinator

.PHONY: test-kubelet
test-kubelet: ## run workers in images, by a real kubelet and containerd; needs root
	.ci/need cc gcc libc6-dev
	.ci/need redis-server redis-server
	.ci/need ip iproute2
	.ci/need runc runc
	.ci/need containerd containerd
	.ci/need /usr/lib/cni/bridge containernetworking-plugins
	cd integration/kube && go vet -tags kubelet ./kubelet && go test -race -tags kubelet -count 1 -v ./kubelet

.PHONY: test-nats-cluster
test-nats-cluster: ## run the suite, and 100000 items, on three nats-servers, each killed once
	go test -tags natscluster -v -count 1 -timeout 20m ./integration/natscluster -items 100000

.PHONY: generate
generate: ## write the WorkQueue's definition and copies from its Go types
	go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0 paths=./manifests/workload \
		object output:object:dir=manifests/workload \
		crd:maxDescLen=0,generateEmbeddedObjectMeta=true output:crd:stdout >manifests/base/workqueues.yaml

.PHONY: lint
lint: ## check style, common faults and who imports whom
	@test -x $(linter) || { echo "building golangci-lint $(golangci), once: about two minutes"; \
		GOBIN=$(dir $(linter)) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(golangci); }
	.ci/sleeps
	$(linter) run ./...
	cd integration/kube && $(linter) run ./...
	cd integration/peers && $(linter) run ./...

.PHONY: example
example: ## render a short film on this machine: out/render/film.gif
	manifests/examples/render/render.sh

.PHONY: torture
torture: ## kill a film of 240 frames 50 times in the making, and compare it to one that nobody killed
	go test -v -count 1 -timeout 2h ./integration/faults -frames 240 -width 192 -films 5 -kills 10

.PHONY: bench
bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-peers
bench-peers: ## measure the queue beside asynq and River: docs/peers.md
	.ci/need redis-server redis-server
	command -v initdb >/dev/null || .ci/need pg_createcluster postgresql
	cd integration/peers && go test -run '^$$' -bench . -benchtime 1x -timeout 1h -v ./...

.PHONY: scaling
scaling: ## simulate the plan beside KEDA's: docs/scaling.md and its picture
	go run ./integration/scaling -svg docs/scaling.svg > docs/scaling.md

.PHONY: clean
clean: ## remove bin and out
	rm -rf bin out
