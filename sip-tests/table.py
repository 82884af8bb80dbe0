"""What was shown with which peer, as a table for people."""

import re
import subprocess

import harness
import kamailio
import webhook

HEAD = """# Interoperability

Made by `sip-tests/run.py --table docs/interop.md` from the cases that ran; do not edit. None of these peers shares code
with offhook. Where there is none, the case is about us alone.

"""
# How each tells its version; what is not listed is of this repository.
VERSIONS = {
    "SIPp": ["sipp", "-v"],
    "baresip": ["baresip", "-h"],
    "Kamailio": [kamailio.program() or "kamailio", "-v"],
    "rtpengine": ["rtpengine", "--version"],
    "standardwebhooks": ["echo", webhook.PACKAGE],
}


def written(results):
    """The document, from `{case: Result}`."""
    versions = {peer: version(command) for peer, command in VERSIONS.items()}
    lines = ["| Peer | Version | Transport | What | Result |", "| --- | --- | --- | --- | --- |"]
    for name, function in harness.CASES.items():
        if name not in results:
            continue
        peers, over = results[name].peers, function.over.upper()
        numbers = ", ".join(versions[peer] for peer in peers if peer in versions)
        what = function.__doc__.strip().splitlines()[0].replace("|", "\\|")
        lines.append(f"| {', '.join(peers) or '–'} | {numbers or '–'} | {over} | {what} | {outcome(results[name])} |")
    return HEAD + "\n".join(lines) + "\n"


def outcome(result):
    if result.skipped:
        return f"skipped: {result.reason}".replace("|", "\\|")
    return "passed" if result.reason is None else "failed"


def version(command):
    """The first thing in its output that looks like a version."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+(\.\d+)*", said.stdout + said.stderr)
    return found.group() if found else ""
