// The client that @hey-api/openapi-ts makes, against a server: hey-api.js BASE_URL, with the key in RAINCHECK_KEY. It
// starts one operation for each end and prints what it saw of each as a line of JSON.

// docs: begin hey-api
import { setTimeout } from "node:timers/promises";
import { cancelCountdown, getCountdown, startCountdown } from "./hey-client";
import type { CountdownInput, CountdownStatus, GetCountdownError } from "./hey-client";
import { client } from "./hey-client/client.gen";

// A function, because a plain string would be sent as the `token` of a link, too: in the URL, where logs keep it.
const key = process.env.RAINCHECK_KEY;
client.setConfig({ baseUrl: process.argv[2], auth: ({ scheme }) => (scheme === "bearer" ? key : undefined) });

const pause = (answer: Response) => setTimeout(1000 * Number(answer.headers.get("retry-after") ?? 5));

async function start(body: CountdownInput) {
  const { data, response } = await startCountdown({ body, throwOnError: true });
  return { id: data.id, response };
}

async function result(id: string, show: (view: CountdownStatus) => void) {
  for (;;) {
    const { data, response } = await getCountdown({ path: { id }, throwOnError: true });
    if (response.status === 200) return data.output;
    show(data);
    await pause(response);
  }
}

/** What it throws is the body of the error itself; only what is none, such as a broken connection, is an `Error`. */
function problem(error: unknown): GetCountdownError {
  if (error instanceof Error) throw error;
  return error as GetCountdownError;
}
// docs: end hey-api

async function seen(end: string, work: CountdownInput) {
  const { id, response } = await start(work);
  await pause(response);
  const shown: unknown[] = [];
  const seen = { end, id, location: response.headers.get("location"), shown };
  // docs: begin hey-api-cancel
  if (end === "is-canceled") await cancelCountdown({ path: { id }, throwOnError: true });
  // docs: end hey-api-cancel
  try {
    const output = await result(id, (view) => shown.push(view.customStatus));
    return { ...seen, http: 200, status: "Succeeded", steps: output?.steps };
  } catch (error) {
    const { status, code, operation } = problem(error);
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
