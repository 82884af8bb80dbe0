#!/bin/sh
# deps.sh GROUP...: install the Debian packages that a group needs and this machine lacks.
#   demo   what `make demo` needs to run besides Rust
#   test   what the suites of `make test` need on top of that
# Names each missing package and its purpose before touching anything; uses sudo when not root.
set -eu

packages_of() {
  case "$1" in
    demo) cat <<'LIST'
gcc|compiles the C of ring and SQLite
libc6-dev|C headers for the same
libflite1|flite, the local voice
libpocketsphinx3|PocketSphinx, the local ear
libsphinxbase3|PocketSphinx's base library
pocketsphinx-en-us|PocketSphinx's English model
LIST
      ;;
    test) cat <<'LIST'
python3|runs the suite against independent peers
sip-tester|SIPp, the scripted SIP peer
baresip-core|baresip, the independent telephone
kamailio|Kamailio, the trunk's registrar and proxy
kamailio-tls-modules|TLS for the same
rtpengine-daemon|rtpengine, the trunk's relay for audio
iproute2|networks of our own, for a NAT
nftables|that NAT
procps|its sysctl
openssl|makes certificates for the tests
postgresql|PostgreSQL, the database that several nodes share
LIST
      ;;
  esac
}

has_library() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q "$1"; }

# A tool or library that came some other way than by apt is as good.
present() {
  case "$1" in
    libc6-dev) [ -f /usr/include/stdio.h ] ;;
    gcc) command -v cc >/dev/null 2>&1 ;;
    python3) command -v python3 >/dev/null 2>&1 ;;
    sip-tester) command -v sipp >/dev/null 2>&1 ;;
    baresip-core) command -v baresip >/dev/null 2>&1 ;;
    kamailio) PATH="$PATH:/usr/sbin" command -v kamailio >/dev/null 2>&1 ;;
    kamailio-tls-modules) ls /usr/lib/*/kamailio/modules/tls.so >/dev/null 2>&1 ;;
    rtpengine-daemon) PATH="$PATH:/usr/sbin" command -v rtpengine >/dev/null 2>&1 ;;
    iproute2) PATH="$PATH:/usr/sbin:/sbin" command -v ip >/dev/null 2>&1 ;;
    nftables) PATH="$PATH:/usr/sbin:/sbin" command -v nft >/dev/null 2>&1 ;;
    procps) PATH="$PATH:/usr/sbin:/sbin" command -v sysctl >/dev/null 2>&1 ;;
    openssl) command -v openssl >/dev/null 2>&1 ;;
    postgresql) command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
    libflite1) has_library libflite.so.1 ;;
    libpocketsphinx3) has_library libpocketsphinx.so.3 ;;
    libsphinxbase3) has_library libsphinxbase.so.3 ;;
    pocketsphinx-en-us) [ -d /usr/share/pocketsphinx/model/en-us ] ;;
  esac
}

for group in "$@"; do
  case "$group" in
    demo | test) ;;
    *) echo "deps.sh: no such group: $group (demo, test)" >&2; exit 2 ;;
  esac
done

missing=""
for group in "$@"; do
  for package in $(packages_of "$group" | cut -d'|' -f1); do
    present "$package" && continue
    missing="$missing $package"
    echo "missing: $package ($(packages_of "$group" | grep "^$package|" | cut -d'|' -f2))"
  done
done

if ! command -v cargo >/dev/null 2>&1; then
  echo "missing: cargo. Install Rust's toolchain first: https://rustup.rs" >&2
  exit 1
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "There is no apt-get here. Install what these Debian packages hold by your system's means:$missing" >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  sudo=""
elif command -v sudo >/dev/null 2>&1; then
  sudo="sudo"
else
  echo "Not root, and no sudo. As root, run: apt-get install$missing" >&2
  exit 1
fi
echo "installing:$missing"
# Its package would start a proxy on port 5060, now and at each boot; the tests start their own.
case "$missing" in
  *kamailio*) ! command -v systemctl >/dev/null 2>&1 || $sudo systemctl mask --quiet kamailio.service || true ;;
esac
case "$missing" in
  *rtpengine*) ! command -v systemctl >/dev/null 2>&1 || $sudo systemctl mask --quiet rtpengine-daemon.service || true ;;
esac
case "$missing" in
  *postgresql*) ! command -v systemctl >/dev/null 2>&1 || $sudo systemctl mask --quiet postgresql.service || true ;;
esac
$sudo apt-get update -qq
# shellcheck disable=SC2086 # both are lists of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
