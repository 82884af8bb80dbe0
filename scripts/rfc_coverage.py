#!/usr/bin/env python3
"""docs/rfc-coverage.md from the citations in the code: section, files that keep it, tests that show it.

    scripts/rfc_coverage.py           writes the page
    scripts/rfc_coverage.py --check   ends 1 if the page is not what the code says

A test shows a section when it, its comment or its file's or module's first comment cites it. What is left out stands in
docs/rfc-left-out.md, which is written by hand and becomes the end of the page.
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rfc-coverage.md"
LEFT_OUT = ROOT / "docs" / "rfc-left-out.md"
CRATES = ["sip", "media", "gateway"]

CITATION = re.compile(r"RFC (\d{3,5})((?:(?:,? and|,)? ?§ ?[0-9A-Z]+(?:\.\d+)*)*)")
SECTION = re.compile(r"§ ?([0-9A-Z]+(?:\.\d+)*)")
TEST = re.compile(r"#\[(?:tokio::)?test\b[^\]]*\]")
FUNCTION = re.compile(r"\bfn (\w+)")

TITLES = {
    "3327": "Path",
    "3608": "Service-Route",
    "5806": "Diversion",
    "7044": "History-Info",
    "8224": "Identity (STIR)",
    "8588": "verstat",
    "1918": "Private addresses", "4193": "Local addresses of IPv6", "6263": "Keeping paths open", "8446": "TLS 1.3",
    "768": "UDP", "792": "ICMP", "1071": "Internet checksum", "2069": "Digest, the first edition", "2104": "HMAC",
    "2198": "Redundant audio", "3403": "NAPTR", "4443": "ICMPv6", "4567": "Keys in SDP", "4648": "Base 64",
    "5922": "SIP certificates", "5923": "Connection reuse", "6188": "AES-256 in SRTP", "6598": "Shared addresses",
    "3389": "Comfort noise", "3611": "RTCP extended reports", "4585": "RTCP feedback", "7022": "RTCP names", "7362": "Latching", "7235": "HTTP authentication", "7617": "Basic authentication", "7714": "AES-GCM in SRTP", "8767": "Stale DNS data",
    "8839": "ICE in SDP", "8898": "Bearer tokens for SIP", "9293": "TCP", "2046": "Multipart bodies", "2543": "SIP, the first edition", "2782": "DNS SRV", "3261": "SIP",
    "3262": "Reliable provisional responses (PRACK)", "3263": "Locating SIP servers", "3264": "Offer/answer",
    "3311": "UPDATE", "3323": "Privacy", "3325": "P-Asserted-Identity", "3326": "Reason",
    "3550": "RTP", "3551": "RTP profile for audio", "3581": "rport", "3605": "RTCP attribute in SDP",
    "3711": "SRTP", "4028": "Session timers", "4475": "Torture tests", "4566": "SDP", "4568": "SDES",
    "4733": "Telephone-event", "4961": "Symmetric RTP", "5407": "Race conditions", "5626": "Outbound", "5761": "RTP and RTCP on one port",
    "3533": "Ogg", "6716": "Opus", "7587": "Opus in RTP", "7845": "Opus in Ogg",
    "6026": "Corrected INVITE transactions", "6086": "INFO", "6337": "Offer/answer in practice",
    "7616": "Digest", "8760": "SHA-256 digests for SIP", "8866": "SDP",
}


def citations(text):
    """(RFC, section or '') of each citation in the text."""
    for match in CITATION.finditer(text):
        sections = SECTION.findall(match.group(2))
        for section in sections or [""]:
            yield match.group(1), section


def joined_comments(text):
    """Citations that a line break inside a comment cut in two are whole again."""
    joined = re.sub(r"(?m)^([ \t]*//.*)\n[ \t]*//[/!]? ?(?=§|and §|\d|RFC)", r"\1 ", text)
    return joined if joined == text else joined_comments(joined)


def tests_of(text):
    """(name, text with the comment above) of each test function."""
    starts = [match.start() for match in TEST.finditer(text)]
    above = [start_of_comment(text, start) for start in starts]
    for start, begin, end in zip(starts, above, above[1:] + [len(text)]):
        name = FUNCTION.search(text, start)
        if name:
            yield name.group(1), text[begin:end]


def start_of_comment(text, start):
    """Where the comments and attributes begin that stand right above a position."""
    lines = text[:start].split("\n")
    above = start - len(lines[-1])
    for line in reversed(lines[:-1]):
        if not line.strip().startswith(("//", "#[")):
            break
        above -= len(line) + 1
    return above


def collect():
    files = collections.defaultdict(set)
    tests = collections.defaultdict(set)
    for crate in CRATES:
        base = ROOT / "crates" / crate
        for path in sorted([*base.glob("src/**/*.rs"), *base.glob("tests/**/*.rs")]):
            text = joined_comments(path.read_text(encoding="utf-8"))
            name = path.relative_to(ROOT / "crates").as_posix()
            in_tests = "/tests/" in f"/{name}" or path.name == "tests.rs"
            cut = 0 if in_tests else text.find("#[cfg(test)]")
            code, test_code = (text, "") if cut < 0 else (text[:cut], text[cut:])
            for citation in citations(code):
                files[citation].add(name)
            heading = "".join(line for line in test_code.splitlines(True) if line.startswith("//!"))
            for test, body in tests_of(test_code):
                for citation in {*citations(body), *citations(heading)}:
                    tests[citation].add(f"{name}: {test}")
    return files, tests


def order(citation):
    rfc, section = citation
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in section.split(".") if part]
    return int(rfc), parts


def page():
    files, tests = collect()
    out = [
        "# RFC coverage\n\n",
        "Made by `scripts/rfc_coverage.py` from the citations in `sip`, `media` and `gateway`; `make check` fails when it is\n",
        "out of date. A row without tests is code that cites a section which no test names: its behaviour may well be tested\n",
        "under another one. The page ends with what is left out.\n",
    ]
    cited = sorted({*files, *tests}, key=order)
    shown = sum(1 for citation in cited if citation in tests)
    out.append(f"\n{len(cited)} sections cited, {shown} of them by tests.\n")
    rfc = None
    for citation in cited:
        if citation[0] != rfc:
            rfc = citation[0]
            out.append(f"\n## RFC {rfc}: {TITLES[rfc]}\n\n" if rfc in TITLES else f"\n## RFC {rfc}\n\n")
            out.append("| Section | Kept in | Shown by |\n| --- | --- | --- |\n")
        section = f"§{citation[1]}" if citation[1] else "as a whole"
        where = "<br>".join(f"`{name}`" for name in sorted(files.get(citation, []))) or "–"
        shown_by = "<br>".join(f"`{test}`" for test in sorted(tests.get(citation, []))) or "–"
        out.append(f"| {section} | {where} | {shown_by} |\n")
    out.append("\n")
    out.append(LEFT_OUT.read_text(encoding="utf-8"))
    return "".join(out)


def main():
    text = page()
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/rfc-coverage.md is out of date: run scripts/rfc_coverage.py")
    elif sys.argv[1:]:
        sys.exit("usage: scripts/rfc_coverage.py [--check]")
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
