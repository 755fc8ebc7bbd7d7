.DEFAULT_GOAL := help
BIN := bin/kplan
BROKERS := $(CURDIR)/bin/brokers.txt
GO  ?= go

.PHONY: help build demo test test-unit test-race test-calm test-cli test-kafka lint vet golden fuzz bench bench-mirror campaign-crash campaign-lease campaign-access campaign-mirror clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/kplan
	$(GO) build -trimpath -o $(BIN) ./cmd/kplan

demo: build ## carry the example plan out on embedded clusters, with a proof (needs Go alone)
	./$(BIN) demo

test: ## run all tests, real Kafka included (installs Java and Maven where it may)
	@$(MAKE) --no-print-directory -j 2 test-unit test-cli # the one computes, the other waits
	@$(MAKE) --no-print-directory test-kafka

# Where nothing of the product runs beside anything else, the race detector finds
# nothing.
CALM := ./plan/... ./checks/... ./examples/... ./docs/... ./mirror/batch/... ./internal/embedded/... ./internal/endpoint ./internal/kafkatest/... ./internal/report ./internal/workload
# Whole migrations, cut off at each point: too many for the race detector, which
# has the others.
EVERY := EveryCrashPoint|EveryStep|WithoutTheLock|WithoutTheJournal

test-unit: ## the tests without real Kafka and the binary; with the race detector where there is concurrency
	@$(MAKE) --no-print-directory -j 2 test-race test-calm

# They wait more than they compute: the longest begin first, and four go on at once.
test-race:
	$(GO) test -race -p 4 -parallel 8 -timeout 15m -skip 'RealBrokers|$(EVERY)' ./mirror ./mirror/worker ./executor/state ./internal/kafka ./executor ./mirror/driver/... ./executor/... ./mirror/wire/... \
		./internal/boottime ./internal/migration ./internal/notify ./internal/scratch

test-calm:
	$(GO) test -p 2 -timeout 15m -skip RealBrokers $(CALM)

test-cli: ## the tests through the binary, on embedded clusters, and a crash at every record of the journal
	$(GO) test -p 1 -parallel 16 -timeout 20m -skip RealBrokers ./cmd/kplan
	$(GO) test -timeout 10m -run '$(EVERY)' ./executor

test-kafka: ## the tests on real Kafka: one set of brokers for all packages, two packages at a time
	@rm -f $(BROKERS) && mkdir -p $(dir $(BROKERS))
	KAFKATEST_REPORT=$(BROKERS) $(GO) run ./internal/kafkatest/brokers \
		$(GO) test -p 2 -parallel 3 -timeout 30m -run RealBrokers $$(grep -rlE "^func Test\w*RealBrokers" --include="*_test.go" --exclude-dir=bench . | xargs -n 1 dirname | sort -u)
	@echo "Real brokers that ran, as they said over the wire:"
	@sort $(BROKERS) | uniq -c
	@for v in 2.8 4.3; do grep -q "Apache Kafka $$v" $(BROKERS) || { echo "no Apache Kafka $$v ran: the tests prove nothing about it" >&2; exit 1; }; done

lint: ## go vet, staticcheck, errcheck, go mod tidy
	$(GO) vet ./...
	$(GO) vet -tags campaign,bench ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	$(GO) run github.com/kisielk/errcheck@v1.30.0 -ignoretests -exclude .errcheck ./...
	$(GO) mod tidy -diff

golden: ## rewrite the golden files
	$(GO) test ./plan/... ./checks ./internal/report/... ./cmd/kplan/... -update

fuzz: ## fuzz the plan loader for a minute
	$(GO) test ./plan -run '^$$' -fuzz FuzzLoad -fuzztime 60s

bench: ## measure kplan at size against docs/benchmarks.md, on embedded and real clusters (minutes)
	$(GO) test -tags bench -count=1 -timeout 30m -v ./internal/bench

bench-mirror: ## the mirror beside MirrorMaker 2 and a TCP proxy, on real brokers; BENCH_CASES=1k,100,lz4,zstd,small,many,far (a quarter of an hour)
	@mkdir -p bin
	BENCH_OUT=$(CURDIR)/bin/bench-mirror.md $(GO) test -tags bench -count=1 -timeout 60m -v ./internal/bench/mirror

campaign-crash: ## kill -9 after every journal record, on real brokers (long)
	$(GO) test -tags campaign -count=1 -timeout 60m -v -run TestCrashLoopOnRealBrokers ./cmd/kplan

campaign-access: ## fences, rights and access rules on every pair of versions and sizes (minutes)
	$(GO) test -tags campaign -count=1 -timeout 60m -v -run 'TestFenceOnRealBrokers|TestLeastRightsOnRealBrokers|TestAccessParityOnRealBrokers' ./cmd/kplan

campaign-lease: ## holders of the state's lock frozen, cut off and killed, in a model (a minute)
	$(GO) test -tags campaign -count=1 -v -run TestLeaseModelCampaign ./executor/state

campaign-mirror: ## the mirror killed, cut off, frozen and doubled, brokers killed, on real Kafka; then every kind of source under every fault, on embedded and real brokers (long)
	$(GO) test -tags campaign -count=1 -timeout 60m -v -run 'TestKillCampaignOnRealBrokers|TestFaultCampaignOnRealBrokers' ./mirror
	$(GO) test -tags campaign -count=1 -timeout 60m -v -run 'TestMirrorMatrixCampaign|TestMirrorMatrixOnRealBrokers' ./mirror/worker

clean: ## remove what was built
	rm -rf bin
