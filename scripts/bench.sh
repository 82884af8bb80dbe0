#!/bin/sh
# bench.sh NAME [PATH-OF-RTPLOAD]: one table of measurements. Its last line is a summary; exits 1 when a
# stated bound is missed.
set -u
name=$1
judge=${2:-}
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}
seed=${SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
summary=
missed=0

# Runs one program; its last line is kept for the end.
table() {
  output=$("$@")
  status=$?
  printf '%s\n' "$output" | sed '$d'
  summary="$summary${summary:+ | }$(printf '%s\n' "$output" | tail -n 1)"
  [ "$status" -eq 0 ] || missed=1
}

example() {
  crate=$1
  shift
  table $cargo run --release --quiet -p "$crate" --example "bench-$crate" -- "$@"
}

# Paths of the recordings in Debian packages.
sounds() {
  sh scripts/bench/sounds.sh "$target/sounds" "$@"
}

case $name in
sip)
  example sip
  $cargo build --release --quiet --bin offhook || exit 1
  # Beside the judge lies the answerer of its own.
  table python3 sip-tests/setups.py --offhook "$target/release/offhook" \
    --answerer "${judge:+$(dirname "$judge")/rtpecho}"
  ;;
media)
  $cargo build --release --quiet --bin offhook || exit 1
  example media
  example gateway "$target/release/offhook" "$judge"
  ;;
capacity)
  $cargo build --release --quiet --bin offhook || exit 1
  table python3 sip-tests/capacity.py --offhook "$target/release/offhook" --judge "$judge"
  ;;
hearing)
  table $cargo run --release --quiet -p speech --example accuracy
  ;;
plc)
  $cargo build --release --quiet -p media --example bench-plc || exit 1
  $cargo build --release --quiet --bin offhook || exit 1
  table python3 -B scripts/bench/plc.py "$target/release/examples/bench-plc" "$target/release/offhook" "$target"
  ;;
dtmf)
  sounds=$(sounds asterisk-core-sounds-en-wav asterisk-core-sounds-es-gsm asterisk-moh-opsound-wav) || exit 1
  # shellcheck disable=SC2086 # a list of paths without blanks
  table $cargo run --release --quiet -p media --example bench-dtmf -- "$seed" $sounds
  ;;
vad)
  sounds=$(sounds asterisk-core-sounds-en-wav asterisk-core-sounds-es-gsm asterisk-moh-opsound-wav) || exit 1
  $cargo build --release --quiet --bin offhook || exit 1
  # shellcheck disable=SC2086 # a list of paths without blanks
  table python3 -B scripts/bench/vad.py "$target/release/offhook" "$target" "$seed" $sounds
  ;;
*)
  echo "bench.sh: there is no table $name; there are: sip media capacity hearing plc dtmf vad" >&2
  exit 2
  ;;
esac
printf '%s\n' "$summary"
exit "$missed"
