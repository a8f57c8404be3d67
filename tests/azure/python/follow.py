"""Azure's Python client (azure-core, LROPoller) against a server: follow.py BASE_URL, with the key in RAINCHECK_KEY.

It follows one operation for each road and each end, all at a time, and prints what it saw of each as a line of JSON.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import HeadersPolicy, RequestIdPolicy, RetryPolicy
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LocationPolling, LROBasePolling, OperationResourcePolling
from azure.core.rest import HttpRequest

BASE = sys.argv[1]
# Without Retry-After it would ask once in so many seconds.
UNTOLD = 30
ROADS = {"operation-location": OperationResourcePolling, "location": LocationPolling}
ENDS = {
    "succeeds": {"seconds": 4.5, "steps": 5},
    "fails": {"seconds": 4.5, "steps": 5, "fail": "out-of-paper"},
    "is-canceled": {"seconds": 60, "steps": 5},
}


def follow(road, end):
    key = HeadersPolicy({"X-API-Key": os.environ["RAINCHECK_KEY"]})
    client = PipelineClient(BASE, policies=[RequestIdPolicy(), key, RetryPolicy()])
    start = HttpRequest("POST", f"{BASE}/v1/actions/countdown", json=ENDS[end])
    started = client.send_request(start, _return_pipeline_response=True)
    started.http_response.raise_for_status()
    location = started.http_response.headers["Location"]
    method = LROBasePolling(timeout=UNTOLD, lro_algorithms=[ROADS[road]()])
    poller = LROPoller(client, started, lambda answer: answer.http_response.json(), method)
    if end == "is-canceled":
        client.send_request(HttpRequest("DELETE", location)).raise_for_status()
    seen = {"road": road, "end": end, "id": started.http_response.json()["id"]}
    try:
        seen["output"] = poller.result()["output"]
    except HttpResponseError as error:
        seen["code"], seen["message"] = error.error.code, error.error.message
    return seen | {"status": poller.status()}


with ThreadPoolExecutor() as threads:
    for line in threads.map(lambda case: follow(*case), [(road, end) for road in ROADS for end in ENDS]):
        print(json.dumps(line))
