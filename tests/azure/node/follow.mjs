// Azure's JavaScript client (@azure/core-lro, createHttpPoller) against a server: follow.mjs BASE_URL, with the key in
// RAINCHECK_KEY. It follows one operation for each road and each end, all at a time, and prints what it saw of each as
// a line of JSON.

import { createHttpPoller } from "@azure/core-lro";
import { createDefaultHttpClient, createHttpHeaders, createPipelineFromOptions, createPipelineRequest } from "@azure/core-rest-pipeline";

const base = process.argv[2];
// Without Retry-After it would ask ten times a second.
const untold = 100;
const http = createDefaultHttpClient();
const pipeline = createPipelineFromOptions({});

async function send(method, url, body) {
  const headers = createHttpHeaders({ "x-api-key": process.env.RAINCHECK_KEY });
  if (body) headers.set("content-type", "application/json");
  const request = createPipelineRequest({ url, method, headers, body: body && JSON.stringify(body), allowInsecureConnection: true });
  const answer = await pipeline.sendRequest(http, request);
  const parsed = JSON.parse(answer.bodyAsText);
  return { flatResponse: parsed, rawResponse: { statusCode: answer.status, request, headers: answer.headers.toJSON(), body: parsed } };
}

const ends = {
  succeeds: { seconds: 4.5, steps: 5 },
  fails: { seconds: 4.5, steps: 5, fail: "out-of-paper" },
  "is-canceled": { seconds: 60, steps: 5 },
};

async function follow(road, end) {
  let started;
  const lro = {
    async sendInitialRequest() {
      started = await send("POST", `${base}/v1/actions/countdown`, ends[end]);
      // It takes this header first, whenever it is there.
      if (road === "location") delete started.rawResponse.headers["operation-location"];
      return started;
    },
    sendPollRequest: (url) => send("GET", url),
  };
  const poller = createHttpPoller(lro, { intervalInMs: untold });
  await poller.submitted();
  const seen = { road, end, id: started.flatResponse.id };
  if (end === "is-canceled") await send("DELETE", started.rawResponse.headers.location);
  try {
    seen.output = (await poller.pollUntilDone()).output;
  } catch (error) {
    seen.message = error.message;
  }
  seen.status = poller.operationState?.status;
  return seen;
}

const cases = ["operation-location", "location"].flatMap((road) => Object.keys(ends).map((end) => follow(road, end)));
for (const seen of await Promise.all(cases)) console.log(JSON.stringify(seen));
