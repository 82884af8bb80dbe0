"""Verifies webhooks by PyPI's `standardwebhooks`: one JSON a line of standard input, `{"secret", "headers", "body"}`.

Run by the Python that has that package. Prints what is wrong with each, a line of its own, or an empty line.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def fault(message):
    try:
        Webhook(message["secret"]).verify(message["body"], message["headers"])
    except WebhookVerificationError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    for line in sys.stdin:
        print(fault(json.loads(line)))
