#!/bin/sh
# sounds.sh FOLDER PACKAGE...: prints the paths of the recordings in Debian packages. One that is not installed is fetched
# and unpacked into FOLDER, once. Silence is left out.
set -eu
folder=$1
shift
for package in "$@"; do
  if dpkg -s "$package" >/dev/null 2>&1; then
    dpkg -L "$package"
    continue
  fi
  if [ ! -d "$folder/$package" ]; then
    mkdir -p "$folder/fetched"
    echo "fetching $package" >&2
    (cd "$folder/fetched" && apt-get download -qq "$package" >&2)
    dpkg-deb -x "$folder/fetched/$package"_*.deb "$folder/$package.part"
    mv "$folder/$package.part" "$folder/$package"
  fi
  find "$folder/$package" -type f
done | grep -E '\.(wav|gsm)$' | grep -v /silence/ | sort
