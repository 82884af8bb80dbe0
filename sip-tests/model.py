"""A stand-in for a language model: an HTTP server that speaks OpenAI's chat API, and decides by rules.

It knows no more than a model would: the messages of the request. Its replies come as a stream of
small pieces, as real ones do, and calls of tools with their arguments cut anywhere.
"""

import http.server
import json
import re
import threading
import time

NUMBERS = {word: number for number, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen".split())}
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
MONTHS = ("january february march april may june july august september october november december").split()
MEANS_APPOINTMENT = {"book", "schedule", "visit", "make", "appointment"}
PIECE = 7  # characters


class Model:
    """The server; `requests` holds each body that came, with what it was answered.

    `decides` makes a reply from the messages: `(text, [(tool, arguments)])`.
    """

    def __init__(self, port, decides=None):
        self.requests, decides = [], decides or decide
        model = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path != "/v1/chat/completions":
                    self.send_error(404)
                    return
                request = json.loads(body)
                text, calls = decides(request["messages"])
                model.requests.append({"at": time.time(), "body": request, "text": text, "calls": calls})
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for chunk in chunks(len(model.requests), text, calls):
                    self.send_event(json.dumps(chunk))
                self.send_event("[DONE]")
                self.wfile.write(b"0\r\n\r\n")

            def send_event(self, data):
                event = f"data: {data}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def chunks(number, text, calls):
    """`chat.completion.chunk` objects of one reply."""
    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": int(time.time()),
                "model": "stand-in", "choices": [choice], "usage": None}

    yield chunk({"role": "assistant", "content": ""})
    for start in range(0, len(text), PIECE):
        yield chunk({"content": text[start : start + PIECE]})
    for index, (name, arguments) in enumerate(calls):
        arguments = json.dumps(arguments)
        first = {"index": index, "id": f"call_{number}_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        yield chunk({"tool_calls": [first]})
        for start in range(0, len(arguments), PIECE):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments[start : start + PIECE]}}]})
    yield chunk({}, "tool_calls" if calls else "stop")
    yield {**chunk({}), "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


def decide(messages):
    """What to say and which tools to call, from what a model is told: `(text, [(name, arguments)])`."""
    goal, facts = read_task(messages[0]["content"])
    heard, events = last_turn(messages)
    menu, times = menu_of(heard, events), times_in(heard)
    key = best_key(menu, goal) if menu else None
    if key:
        return "", [("press", {"keys": key})]
    # "Or two thirty in the afternoon" may be heard as "press two thirty": who names times is no menu.
    if menu and not times:
        return "", [("wait", {"seconds": 4})]
    if not heard:
        if any("you speak first" in event for event in events):
            return introduction(goal, facts), []
        return "", [("wait", {"seconds": 5})]
    if has(heard, "goodbye", "all set", "confirmed"):
        return "Thank you very much. Goodbye.", [("end", {"reason": "completed"})]
    if times and has(heard, "correct", "right") and not has(heard, "all right is", "is that all right"):
        # First the report alone, which is answered by a request of its own; then the words.
        if messages[-1]["role"] == "tool":
            return "Yes, that is correct.", []
        answers = {"date": date_in(heard) or facts.get("day", ""), "time": times[-1][0]}
        summary = f"The appointment is on {answers['date']} at {answers['time']}."
        return "", [("report", {"outcome": "succeeded", "summary": summary, "answers": answers})]
    if times:
        return take_slot(times, facts.get("time_of_day", "")), []
    for words, fact in ((("birth", "born"), "date_of_birth"), (("name",), "name"),
                        (("doctor", "who would"), "doctor"), (("day",), "day")):
        if has(heard, *words) and fact in facts:
            return f"{spoken(facts[fact])}.", []
    if has(heard, "help", "do for you", "hello", "appointments"):
        return introduction(goal, facts), []
    if has(heard, "thank you for calling", "welcome", "closed", "one moment", "hold", "web site", "mail"):
        return "", [("wait", {"seconds": 6})]
    return "Sorry, could you say that again, please?", []


def read_task(system):
    goal = re.search(r"^Goal of this call: (.+)$", system, re.MULTILINE)
    return (goal.group(1) if goal else ""), dict(re.findall(r"^- (\w+): (.+)$", system, re.MULTILINE))


def last_turn(messages):
    """What was heard, and which events came, since we last said or pressed something."""
    user = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    lines = user.splitlines()
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith("[you pressed"):
            lines = lines[number + 1 :]
            break
    events = [line for line in lines if line.startswith("[")]
    return " ".join(line for line in lines if not line.startswith("[")).lower(), events


def menu_of(heard, events):
    """`[(key, label)]`: as the program understood it where it says so, else read here."""
    for event in reversed(events):
        listed = re.match(r"\[menu as understood: (.+)\]$", event)
        if listed:
            return [tuple(option.split(" = ", 1)) for option in listed.group(1).split("; ") if " = " in option]
    # "For billing, press 1" or "press 1 for billing": the first option tells.
    if re.search(r"\b(?:for|to) ", re.split(r"\bpress ", heard)[0]):
        found = [(key, label) for label, key in re.findall(r"\b(?:for|to) (.+?) press (\w+)", heard)]
    else:
        found = re.findall(r"press (\w+) (?:for|to) (.+?)(?= press |$)", heard)
    return [(str(NUMBERS[key]), label) for key, label in found if NUMBERS.get(key, 99) < 10]


def best_key(menu, goal):
    wanted = set(re.findall(r"\w+", goal.lower()))
    if wanted & MEANS_APPOINTMENT:
        wanted |= {"appointment"}
    wanted -= {"make", "a", "an", "or", "the", "to", "for", "in", "on", "with"}
    scored = [(len(wanted & set(re.findall(r"\w+", label.lower()))), key) for key, label in menu]
    score, key = max(scored, key=lambda pair: pair[0])
    return key if score and re.fullmatch(r"[0-9*#]", key) else None


def introduction(goal, facts):
    return (f"Hello, this is an AI assistant calling on behalf of {facts.get('name', 'a customer')}. "
            f"I would like to {goal[:1].lower()}{goal[1:]}.")


def take_slot(times, part):
    for time_of, time_part, words in times:
        if time_part == part:
            return f"Yes, {words} in the {part} would be good."
    if len(times) > 1:
        return f"Do you have something else in the {part}?"
    return f"No, I would like something in the {part}, please."


def times_in(heard):
    """`[(24-hour time, part of the day, words)]` of clock times such as "at two thirty in the afternoon"."""
    hour = "|".join(word for word, number in NUMBERS.items() if 1 <= number <= 12)
    minute = rf"(?:{'|'.join(TENS)})(?: (?:one|two|three|four|five|six|seven|eight|nine)\b)?|ten|fifteen|o'?clock|oh \w+"
    part = r"(?:in the )?(morning|afternoon|evening)|([ap])\.? ?m\b"
    found = []
    for match in re.finditer(rf"\b(at )?({hour})\b(?: ({minute}))?(?: (?:{part}))?", heard):
        at, name, minutes, named, letter = match.groups()
        if not (at or named or letter):
            continue  # "which one"
        if named or letter:
            morning = named == "morning" or letter == "a"
        else:
            morning = 8 <= NUMBERS[name] < 12
        clock = NUMBERS[name] % 12 + (0 if morning else 12)
        words = f"{name} {minutes or ''}".strip()
        found.append((f"{clock}:{minutes_of(minutes):02}", "morning" if morning else "afternoon", words))
    return found


def minutes_of(words):
    words = (words or "").split()
    return sum(TENS.get(word, 0) + NUMBERS.get(word, 0) for word in words)


def date_in(heard):
    """"December 1" of "december first"."""
    ordinals = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
                "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14,
                "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19,
                "twentieth": 20, "thirtieth": 30}
    match = re.search(rf"\b({'|'.join(MONTHS)}) (twenty |thirty )?(\w+)", heard)
    if not match or match.group(3) not in ordinals:
        return None
    day = ordinals[match.group(3)] + TENS.get((match.group(2) or "").strip(), 0)
    return f"{match.group(1).capitalize()} {day}"


def spoken(fact):
    """A date as it is said; all else as it is written."""
    date = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", fact)
    return f"{MONTHS[int(date[2]) - 1].capitalize()} {int(date[3])}, {date[1]}" if date else fact


def has(heard, *words):
    return any(re.search(rf"\b{word}\b", heard) for word in words)
