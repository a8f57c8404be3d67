"""The client that openapi-python-client makes, against a server: openapi_python_client.py BASE_URL, with the key in
RAINCHECK_KEY. It starts one operation for each end and prints what it saw of each as a line of JSON.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

# docs: begin openapi-python-client
from raincheck_client import AuthenticatedClient
from raincheck_client.api.countdown import cancel_countdown, get_countdown, start_countdown
from raincheck_client.models import CountdownInput, Problem


class Failed(Exception):
    def __init__(self, problem: Problem):
        super().__init__(problem.detail)
        self.problem = problem


def start(client, work):
    started = start_countdown.sync_detailed(client=client, body=work)
    if isinstance(started.parsed, Problem):
        raise Failed(started.parsed)
    return started.parsed, started.headers


def result(client, id, pause, show=print):
    while True:
        time.sleep(pause)
        answer = get_countdown.sync_detailed(id, client=client)
        if isinstance(answer.parsed, Problem):
            raise Failed(answer.parsed)
        if answer.status_code == 200:
            return answer.parsed.output
        show(answer.parsed.custom_status)
        pause = int(answer.headers["Retry-After"])
# docs: end openapi-python-client


def seen(end, work):
    # docs: begin openapi-python-client-start
    client = AuthenticatedClient(base_url=sys.argv[1], token=os.environ["RAINCHECK_KEY"])
    accepted, headers = start(client, work)
    # docs: end openapi-python-client-start
    shown = []
    seen = {"end": end, "id": str(accepted.id), "location": headers["Location"], "shown": shown}
    if end == "is-canceled":
        # docs: begin openapi-python-client-cancel
        cancel_countdown.sync_detailed(accepted.id, client=client)
        # docs: end openapi-python-client-cancel
    try:
        output = result(client, accepted.id, int(headers["Retry-After"]), shown.append)
        return seen | {"http": 200, "status": "Succeeded", "steps": output.steps}
    except Failed as failed:
        problem = failed.problem
        return seen | {"http": problem.status, "status": problem.operation.status, "code": problem.code}


with ThreadPoolExecutor() as threads:
    works = {
        "succeeds": CountdownInput(seconds=4, steps=3),
        "fails": CountdownInput(seconds=4, steps=3, fail="out-of-paper"),
        "is-canceled": CountdownInput(seconds=60, steps=3),
    }
    for line in threads.map(lambda work: seen(*work), works.items()):
        print(json.dumps(line))
