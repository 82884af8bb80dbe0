"""Checks request bodies, one JSON a line of standard input, against the types of PyPI's `openai`.

Run by the Python that has that package. Prints each fault; exits 1 when there was one.
"""

import json
import sys

from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter, ValidationError

ADAPTER = TypeAdapter(CompletionCreateParams)


def whole(value):
    """The validated value as JSON; iterables in it are only checked while they are read."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return [whole(item) for item in value]


def fault(body):
    try:
        known = whole(ADAPTER.validate_python(body))
    except ValidationError as error:
        return str(error)
    # What the types do not know is left out by pydantic.
    return None if known == body else f"fields that the API does not know: {body} became {known}"


def main():
    faults = [found for found in (fault(json.loads(line)) for line in sys.stdin) if found]
    for found in faults:
        print(found)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
