// openapi-fetch with the types that openapi-typescript makes, against a server: openapi-typescript.js BASE_URL, with the key
// in RAINCHECK_KEY. It starts one operation for each end and prints what it saw of each as a line of JSON.

// docs: begin openapi-typescript
import { setTimeout } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];

const OPERATION = "/v1/actions/countdown/operations/{id}";
const headers = { authorization: `Bearer ${process.env.RAINCHECK_KEY}` };
const client = createClient<paths>({ baseUrl: process.argv[2], headers });

class Failed extends Error {
  constructor(readonly problem: Schemas["Problem"]) {
    super(problem.detail);
  }
}

const pause = (answer: Response) => setTimeout(1000 * Number(answer.headers.get("retry-after") ?? 5));

async function start(body: Schemas["CountdownInput"]) {
  const { data, error, response } = await client.POST("/v1/actions/countdown", { body });
  if (error) throw new Failed(error);
  return { id: data.id, response };
}

async function result(id: string, show: (view: Schemas["CountdownStatus"]) => void) {
  for (;;) {
    const { data, error, response } = await client.GET(OPERATION, { params: { path: { id } } });
    if (error) throw new Failed(error);
    if (response.status === 200) return data.output;
    show(data);
    await pause(response);
  }
}
// docs: end openapi-typescript

async function seen(end: string, work: Schemas["CountdownInput"]) {
  const { id, response } = await start(work);
  await pause(response);
  const shown: unknown[] = [];
  const seen = { end, id, location: response.headers.get("location"), shown };
  // docs: begin openapi-typescript-cancel
  if (end === "is-canceled") await client.DELETE(OPERATION, { params: { path: { id } } });
  // docs: end openapi-typescript-cancel
  try {
    const output = await result(id, (view) => shown.push(view.customStatus));
    return { ...seen, http: 200, status: "Succeeded", steps: output?.steps };
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    const { status, code, operation } = error.problem;
    return { ...seen, http: status, status: operation?.status, code };
  }
}

const works = {
  succeeds: { seconds: 4, steps: 3 },
  fails: { seconds: 4, steps: 3, fail: "out-of-paper" },
  "is-canceled": { seconds: 60, steps: 3 },
};
Promise.all(Object.entries(works).map(([end, work]) => seen(end, work))).then((all) =>
  all.forEach((line) => console.log(JSON.stringify(line))),
);
