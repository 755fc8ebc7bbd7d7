.DEFAULT_GOAL := help
BIN := bin/kplan
GO  ?= go

.PHONY: help build demo test lint vet golden fuzz campaign-crash clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/kplan
	$(GO) build -trimpath -o $(BIN) ./cmd/kplan

demo: build ## carry the example plan out on embedded clusters, with a proof (needs Go alone)
	./$(BIN) demo

test: ## run all tests, real Kafka brokers included (installs Java and Maven where it may)
	./internal/kafkatest/prepare.sh
	$(GO) test -race -timeout 10m ./...

lint: ## vet and golangci-lint
	$(GO) vet ./...
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2 run ./...

golden: ## rewrite the golden files
	$(GO) test ./plan/... ./internal/report/... ./cmd/kplan/... -update

fuzz: ## fuzz the plan loader for a minute
	$(GO) test ./plan -run '^$$' -fuzz FuzzLoad -fuzztime 60s

campaign-crash: ## kill -9 after every journal record, on real brokers (long)
	KPLAN_CAMPAIGN=crash $(GO) test -timeout 60m -v -run TestCrashLoopOnRealBrokers ./cmd/kplan

clean: ## remove what was built
	rm -rf bin
