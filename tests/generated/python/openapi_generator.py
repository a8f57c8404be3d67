"""The client that openapi-generator makes for Python, against a server: openapi_generator.py BASE_URL, with the key in
RAINCHECK_KEY. It starts one operation for each end and prints what it saw of each as a line of JSON.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

from raincheck_api import ApiClient, ApiException, Configuration, CountdownApi, CountdownInput

BASE = sys.argv[1]
KEY = os.environ["RAINCHECK_KEY"]


# docs: begin python-openapi-generator
def client(**credential):
    return CountdownApi(ApiClient(Configuration(host=BASE, **credential)))


def start(countdown, work):
    started = countdown.start_countdown_with_http_info(work, links=["cancel"])
    return started.data, started.headers["location"], int(started.headers["retry-after"])


def result(countdown, id, pause, show=print):
    while True:
        time.sleep(pause)
        answer = countdown.get_countdown_with_http_info(id)
        if answer.status_code == 200:
            return answer.data.output
        show(answer.data.custom_status)
        pause = int(answer.headers["retry-after"])


def follower(link):
    """A client without the key: the link's token lets it follow this operation, or cancel it, and nothing else."""
    token = parse_qs(urlsplit(link).query)["token"][0]
    return client(api_key={"statusLink": token, "cancelLink": token})
# docs: end python-openapi-generator


def seen(end, work):
    # docs: begin python-openapi-generator-start
    accepted, location, pause = start(client(access_token=KEY), work)
    # docs: end python-openapi-generator-start
    shown = []
    seen = {"end": end, "id": str(accepted.id), "location": location, "shown": shown}
    if end == "is-canceled":
        # docs: begin python-openapi-generator-cancel
        follower(accepted.links.cancel).cancel_countdown(accepted.id)
        # docs: end python-openapi-generator-cancel
    try:
        output = result(follower(location), accepted.id, pause, shown.append)
        return seen | {"http": 200, "status": "Succeeded", "steps": output.steps}
    except ApiException as error:
        problem = error.data
        return seen | {"http": error.status, "status": problem.operation.status, "code": problem.code}


with ThreadPoolExecutor() as threads:
    works = {
        "succeeds": CountdownInput(seconds=4, steps=3),
        "fails": CountdownInput(seconds=4, steps=3, fail="out-of-paper"),
        "is-canceled": CountdownInput(seconds=60, steps=3),
    }
    for line in threads.map(lambda work: seen(*work), works.items()):
        print(json.dumps(line))
