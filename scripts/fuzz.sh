#!/bin/sh
# fuzz.sh SECONDS MUTATIONS: each fuzz target for so many seconds; without a nightly compiler and cargo-fuzz, so many
# mutations of each file of the corpora instead.
set -eu
seconds=$1
mutations=$2
cargo=${CARGO:-cargo}
if ! $cargo +nightly fuzz --version >/dev/null 2>&1; then
  echo "fuzz: for libFuzzer run \`rustup toolchain install nightly && cargo install cargo-fuzz\`; mutating the corpora instead"
  FUZZ_COUNT=$mutations exec $cargo test -p sip -p media --test fuzz_corpus -- --nocapture
fi
for crate in crates/*/fuzz; do
  cd "$crate/.."
  for target in $($cargo +nightly fuzz list); do
    $cargo +nightly fuzz run "$target" -- -max_total_time="$seconds"
  done
  cd ../..
done
