# `make demo` and `make test` set everything up by themselves; the rest is for daily work.
# Targets honour CARGO_TARGET_DIR. One profile (dev, optimised) serves demo and tests, so that the
# binary is built once.

TARGET  := $(or $(CARGO_TARGET_DIR),target)
OFFHOOK := $(TARGET)/debug/offhook
CARGO   := cargo

# make demo ARGS="--scenario voicemail --seed 7"
ARGS    ?=
# make sipp CASES="hold_resume busy"
CASES   ?=
# make interop CALLS=3
CALLS   ?= 1
# make bench BENCH=media RTPLOAD=path/of/rtpload; hearing, plc and vad need asterisk-core-sounds-en-wav, plc and dtmf libspandsp2,
# dtmf and vad libgsm1 too. make bench BENCH="dtmf vad" SEED=1183; without, a seed is drawn
BENCH   ?= sip media
RTPLOAD ?=
# make world COUNT=100000 SEED=1183; a whole conversation costs as much as hundreds of signalled calls
COUNT   ?= 20
SEED    ?= 1
CONVERSATIONS = $(shell expr $(COUNT) / 200 + 9)
# make soak SEEDS=20 JOBS=4
SEEDS   ?= 20
JOBS    ?= 4
# make fuzz SECONDS_EACH=300; make fuzz FUZZ_COUNT=2000000
SECONDS_EACH ?= 60
FUZZ_COUNT   ?= 500000
# Features of the binary.
FEATURES     ?=

.NOTPARALLEL:
.PHONY: help deps deps-demo deps-test build demo test check opus sipp demos interop bench soak world fuzz docs release watch

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

deps: deps-demo deps-test ## Install what this machine lacks, naming each package first.

deps-demo:
	@sh scripts/deps.sh demo >&2

deps-test:
	@sh scripts/deps.sh demo test

build:
	@$(CARGO) build --workspace --bin offhook $(FEATURES)

demo: deps-demo build ## A whole call on this machine: no key, no number, no internet.
	@$(OFFHOOK) demo $(ARGS)

# The binary with what Rust's tests need, so that no crate is built twice.
test: FEATURES += --features server/sim
test: deps-test check sipp demos ## Everything: Rust's tests, real SIP peers, a few demo calls.

check: ## Format, clippy with warnings denied, unit and world tests, documentation.
	$(CARGO) fmt --all --check
	python3 -B scripts/rfc_coverage.py --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings -D clippy::iter_over_hash_type
	$(CARGO) test --workspace --quiet $(FEATURES)
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet

opus: ## The feature `opus`, which no other target builds: clippy and tests of the crates that have it.
	$(CARGO) clippy -p media -p gateway -p server --features opus --all-targets -- -D warnings -D clippy::iter_over_hash_type
	$(CARGO) test -p media -p gateway -p server --features opus --quiet

sipp: deps-test build ## The real binary against SIPp, baresip and Kamailio.
	python3 -B -m unittest discover -q -s sip-tests
	python3 sip-tests/run.py --offhook $(OFFHOOK) $(CASES)

demos: build ## Real calls with seeds drawn now and printed; of two conversations one may hang on a misheard word.
	python3 scripts/demo_table.py --offhook $(OFFHOOK) --seeds 2 --jobs 4 --spare 1 hospital enter-your-number voicemail busy no-answer

interop: deps-test build ## Kamailio as the trunk; a language model that decides, its requests checked by OpenAI's types.
	python3 sip-tests/run.py --offhook $(OFFHOOK) 'kamailio_*' 'srtp_*' 'located_*' 'certificates_*' 'nat_*'
	python3 sip-tests/model_loop.py --offhook $(OFFHOOK) --calls $(CALLS)

bench: ## Measurements: each figure beside its anchor from the same run.
	@for name in $(BENCH); do sh scripts/bench.sh $$name "$(RTPLOAD)" || exit 1; done

soak: deps-test build opus ## Calls of minutes and by the thousand, scheduled ones through 200 kills, every scenario with many seeds or a fact missing, calls under floods, Opus; tables of docs/benchmarks.md.
	python3 sip-tests/run.py --offhook $(OFFHOOK) 'soak_*'
	python3 scripts/demo_table.py --offhook $(OFFHOOK) --seeds $(SEEDS) --jobs $(JOBS)
	python3 scripts/missing_facts.py --offhook $(OFFHOOK) --calls $(SEEDS) --jobs $(JOBS)
	python3 sip-tests/flood.py --offhook $(OFFHOOK)
	python3 sip-tests/spray.py --offhook $(OFFHOOK)

world: ## Calls in simulated time from SEED: COUNT of two user agents, and a share of that whole conversations.
	WORLD_SEED=$(SEED) WORLD_COUNT=$(COUNT) $(CARGO) test -p sip --test world --quiet
	WORLD_SEED=$(SEED) WORLD_COUNT=$(CONVERSATIONS) $(CARGO) test --workspace --exclude sip --quiet -- world

fuzz: ## Each fuzz target for SECONDS_EACH; without nightly and cargo-fuzz, FUZZ_COUNT mutations of each file of the corpora.
	@sh scripts/fuzz.sh $(SECONDS_EACH) $(FUZZ_COUNT)

docs: ## The documentation of all crates, private items too.
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

release: ## The binary to install: target/release/offhook.
	$(CARGO) build --release --bin offhook

watch: ## Run the nearest tests again at each change (needs cargo-watch).
	$(CARGO) watch -x "test --workspace --quiet"
