"""Simulated parties that we call: `offhook callee`."""

import json

import audio
import model
from harness import case, expect, wait_for
from process import PORTS, Process

SCENARIO = """
name = "baker"
summary = "A baker, played by a language model."
persona = "You are a baker. On Sundays your shop is closed."
[task]
goal = "Ask whether they are open on Sunday"
"""
HANG_UP = "[hang up]"


def baker(messages):
    """What a model might say for the baker: `(text, tools)`."""
    turns = [message for message in messages if message["role"] == "user"]
    if len(turns) == 1:
        return "Good morning, this is the bakery.", []
    return f"No, on Sundays we are closed. Goodbye. {HANG_UP}", []


@case
def party_played_by_a_model(t):
    """A persona is played by a language model: it hears what is said, its words are spoken, and it hangs up."""
    stand_in = model.Model(PORTS.take(), baker)
    t.keep(stand_in)
    scenario, config, port = t.folder / "baker.toml", t.folder / "callee.toml", PORTS.take()
    scenario.write_text(SCENARIO)
    config.write_text(f'[llm]\nprovider = "openai"\nbase_url = "{stand_in.url}"\nmodel = "stand-in"\n')
    command = [t.binary, "callee", "--scenario", scenario, "--listen", f"udp://127.0.0.1:{port}", "--json"]

    lonely = t.keep(Process(t.folder, "callee-alone", command))
    wait_for("without a model it ends at once", lambda: not lonely.running)
    expect(lonely.child.returncode == 2 and "--config" in lonely.log(), f"without a model it says {lonely.log()!r}")

    party = t.keep(Process(t.folder, "callee", [*command, "--config", config]))
    wait_for("the party prints its address", lambda: str(port) in party.log())
    server = t.offhook(port)
    call_id = server.dial(goal="Ask whether they are open on Sunday")
    wait_for("the party has greeted", lambda: stand_in.requests)
    server.wait_status(call_id, "answered")
    server.say(call_id, "Good morning. Are you open on Sunday?")
    call = server.wait_ended(call_id)
    expect(call["end_reason"] == "callee_hung_up", f"end_reason is {call['end_reason']}, not callee_hung_up")
    reports = [json.loads(line) for line in party.log().splitlines() if line.startswith("{")]
    heard = [report["text"] for report in reports if report["event"] == "heard"]
    last = stand_in.requests[-1]["body"]["messages"]
    expect("You are a baker." in last[0]["content"], f"the model was not told whom it plays: {last[0]}")
    expect(heard and last[-1] == {"role": "user", "content": heard[-1]}, f"heard {heard}, the model was told {last[-1]}")
    said = [report["text"] for report in reports if report["event"] == "said"]
    expect(said and HANG_UP not in "".join(said), f"the party said {said}")
    rate, (they, _) = server.recording(call_id, t.folder)
    expect(audio.loud_seconds(they, rate) >= 2, f"they spoke for {audio.loud_seconds(they, rate):.1f} s, not 2 s")
