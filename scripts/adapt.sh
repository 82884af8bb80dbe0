#!/bin/sh
# Fits the recogniser's acoustic model to the telephone: makes crates/speech/src/providers/local/telephone.mllr anew
# and prints the cepstral mean that goes into sphinx.rs. Takes a minute.
#
# Needs Debian's sphinxtrain, sphinxbase-utils and pocketsphinx, and what `make demo` needs.
set -eu
cd "$(dirname "$0")/.."
model=${OFFHOOK_POCKETSPHINX_MODEL:-/usr/share/pocketsphinx/model/en-us}/en-us
train=/usr/lib/sphinxtrain
result=$PWD/crates/speech/src/providers/local/telephone.mllr
for tool in sphinx_fe pocketsphinx_mdef_convert "$train/bw" "$train/mllr_solve"; do
  command -v "$tool" >/dev/null || { echo "adapt.sh: apt-get install sphinxtrain sphinxbase-utils pocketsphinx" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
log=$work/log

quietly() {
  "$@" >"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 1; }
}

${CARGO:-cargo} run --quiet -p speech --example adaptation -- "$work"
quietly sphinx_fe -argfile "$model/feat.params" -samprate 16000 -remove_noise no \
  -c "$work/list" -di "$work" -do "$work" -ei wav -eo mfc -mswav yes
quietly pocketsphinx_mdef_convert -text "$model/mdef" "$work/mdef"
python3 scripts/adapt/mixture_weights.py "$model/sendump" "$work/mixture_weights"
mkdir "$work/counts"
quietly "$train/bw" -hmmdir "$model" -moddeffn "$work/mdef" -ts2cbfn .ptm. -mixwfn "$work/mixture_weights" \
  -meanfn "$model/means" -varfn "$model/variances" -tmatfn "$model/transition_matrices" \
  -feat 1s_c_d_dd -svspec 0-12/13-25/26-38 -cmn current -agc none \
  -dictfn "$work/dictionary" -fdictfn "$model/noisedict" -ctlfn "$work/list" -lsnfn "$work/transcripts" \
  -cepdir "$work" -cepext mfc -accumdir "$work/counts" -timing no
quietly "$train/mllr_solve" -meanfn "$model/means" -varfn "$model/variances" -accumdir "$work/counts" \
  -outmllrfn "$result"
echo "TELEPHONE_MEAN: $(python3 scripts/adapt/mean.py "$work"/*.mfc)"
