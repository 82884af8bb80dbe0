#!/usr/bin/env python3
"""A language model decides a whole call: `offhook serve` asks a stand-in, and calls a simulated clinic.

    model_loop.py [--offhook BINARY] [--calls N] [--first SEED]

The stand-in (`model.py`) sees what any server of OpenAI's chat API would see. A call passes when an
appointment was really made: the clinic confirmed it, and the result says what the clinic said.
Each request is checked against the types of PyPI's `openai`, when that can be installed. Seeds are
drawn now and printed. What a failed call left is in the folder that its line names.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import model  # noqa: E402
from offhook import Offhook  # noqa: E402
from process import PORTS, Failure, Process, Skipped, expect, wait_for  # noqa: E402
from pypi import TARGET, python_with  # noqa: E402

OPENAI = "openai==3.52.0"
CALL_SECONDS = 180


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offhook", default=os.path.join(TARGET, "debug", "offhook"))
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--first", type=int, help="first seed; default: drawn now")
    options = parser.parse_args()
    binary = pathlib.Path(options.offhook).resolve()
    if not os.access(binary, os.X_OK):
        parser.error(f"not found: {binary} (`make build`)")

    first = options.first if options.first is not None else random.SystemRandom().randrange(1, 10**6)
    root = pathlib.Path(tempfile.mkdtemp(prefix="model-loop-"))
    bodies, failed = [], 0
    for seed in range(first, first + options.calls):
        folder = root / f"hospital-{seed}"
        folder.mkdir()
        reason, requests = run_call(binary, folder, seed)
        bodies += [request["body"] for request in requests]
        print(f"{'FAIL' if reason else 'PASS'} hospital --seed {seed}, {len(requests)} requests{f': {reason}' if reason else ''}",
              flush=True)
        if reason:
            failed += 1
            print(f"     left behind: {folder}", flush=True)
    failed += not check_types(bodies)
    if not failed:
        shutil.rmtree(root)
    return 1 if failed else 0


def run_call(binary, folder, seed):
    """One call; `(reason, requests)`, no reason means that it passed."""
    opened, requests, reason = [], [], None
    try:
        task = read_task(binary, folder, seed)
        stand_in = model.Model(PORTS.take())
        opened.append(stand_in.close)
        requests = stand_in.requests
        port = PORTS.take()
        party = Process(folder, "callee", [
            binary, "callee", "--scenario", "hospital", "--seed", seed, "--listen", f"udp://127.0.0.1:{port}", "--json",
        ])
        opened.append(party.stop)
        wait_for("the clinic listens", lambda: reports(party, "listening"))
        server = Offhook(binary, folder, port, llm=f'provider = "openai"\nbase_url = "{stand_in.url}"\nmodel = "stand-in"')
        opened.append(server.stop)
        server.wait_ready()
        call_id = server.post("/v1/calls", {"to": "+15550123", "task": task})["id"]
        call = wait_for("the call ends", lambda: ended(server, call_id), CALL_SECONDS)
        save(folder, "call.json", call)
        save(folder, "transcript.json", server.transcript(call_id))
        save(folder, "events.json", server.get(f"/v1/calls/{call_id}/events?limit=100")["data"])
        judge(call, server.transcript(call_id), party, requests)
        server.unhurt()
    except Failure as failure:
        reason = " ".join(str(failure).split())
    finally:
        save(folder, "requests.json", requests)
        for end in reversed(opened):
            end()
    return reason, requests


def read_task(binary, folder, seed):
    """Goal and facts, from what `offhook demo` says before it calls; the call itself is not awaited."""
    demo = Process(folder, "demo", [binary, "demo", "--scenario", "hospital", "--seed", seed, "--record", folder / "demo"])
    wait_for("the demo tells its task", lambda: "egistered with" in demo.log() or not demo.running)
    demo.stop()
    task = {"goal": "", "facts": {}}
    for line in demo.log().splitlines():
        name, _, value = line.strip().partition(": ")
        if line.startswith("Goal: "):
            task["goal"] = value
        elif line.startswith("      ") and value:
            task["facts"][name] = value
    expect(task["goal"] and task["facts"], f"no task in what the demo says: {demo.log()!r}")
    return task


def reports(party, kind):
    lines = [json.loads(line) for line in party.log().splitlines() if line.startswith("{")]
    return [report for report in lines if report["event"] == kind]


def ended(server, call_id):
    expect(server.running, f"offhook ended by itself: {server.tail()}")
    call = server.call(call_id)
    return call if call["status"] == "ended" else None


def judge(call, transcript, party, requests):
    """The clinic's own record decides what really happened."""
    said = [report["text"] for report in reports(party, "said")]
    heard = " | ".join(line["text"] for line in transcript if line["speaker"] == "callee")
    expect(requests, "the model was never asked")
    fallbacks = [line["text"] for line in call["result"]["evidence"] if "rules decided" in line["text"]]
    expect(not fallbacks, f"rules decided instead of the model: {fallbacks}")
    confirmed = [text for text in said if "correct?" in text or text.endswith("right?") and "So " in text]
    expect(confirmed and "oodbye" in said[-1] and "sorry" not in said[-1],
           f"the clinic made no appointment; it last said {said[-1:]}; {call['end_reason']}, {call['result']['outcome']}; heard: {heard}")
    expect(call["result"]["outcome"] == "succeeded", f"outcome {call['result']['outcome']}: {call['result']['summary']}")
    expect(call["end_reason"] in ("completed", "callee_hung_up"), f"end_reason is {call['end_reason']}")
    pressed = "".join(report["digits"] for report in reports(party, "digits"))
    expect(call["digits_sent"] == pressed, f"digits_sent is {call['digits_sent']!r}, the clinic heard {pressed!r}")
    words = plain(confirmed[-1])
    answers = call["result"]["answers"]
    expect(answers.get("time") in [time for time, _, _ in model.times_in(words)],
           f"the clinic confirmed {confirmed[-1]!r}, the result says {answers}")
    expect(answers.get("date") == model.date_in(words), f"the clinic confirmed {confirmed[-1]!r}, the result says {answers}")


def plain(text):
    return "".join(letter for letter in text.lower() if letter.isalpha() or letter in " '")


def save(folder, name, value):
    (folder / name).write_text(json.dumps(value, indent=1))


def check_types(bodies):
    """Whether all bodies are what the types of `openai` say; without the package, nobody knows."""
    try:
        python = python_with(OPENAI)
    except Skipped as obstacle:
        print(f"SKIP requests against OpenAI's types: {obstacle}")
        return True
    checked = subprocess.run([python, "-B", pathlib.Path(__file__).with_name("openai_types.py")],
                             input="\n".join(map(json.dumps, bodies)), capture_output=True, text=True)
    if checked.returncode:
        print(f"FAIL requests against OpenAI's types: {checked.stdout}{checked.stderr}")
        return False
    print(f"PASS {len(bodies)} requests are what OpenAI's types say")
    return True


if __name__ == "__main__":
    sys.exit(main())
