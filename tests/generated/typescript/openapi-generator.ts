// The client that openapi-generator makes for TypeScript (typescript-fetch), against a server: openapi-generator.js BASE_URL,
// with the key in RAINCHECK_KEY. It starts one operation for each end and prints what it saw of each as a line of JSON.

// docs: begin typescript-openapi-generator
import { setTimeout } from "node:timers/promises";
import { Configuration, CountdownApi, ProblemFromJSON, ResponseError } from "./fetch-client";
import type { CountdownInput, CountdownStatus, Problem } from "./fetch-client";

const pause = (answer: Response) => setTimeout(1000 * Number(answer.headers.get("retry-after") ?? 5));

async function result(countdown: CountdownApi, id: string, show: (view: CountdownStatus) => void) {
  for (;;) {
    const answer = await countdown.getCountdownRaw({ id });
    const view = await answer.value();
    if (answer.raw.status === 200) return view.output;
    show(view);
    await pause(answer.raw);
  }
}

async function problem(error: unknown): Promise<Problem> {
  if (error instanceof ResponseError) return ProblemFromJSON(await error.response.json());
  throw error;
}
// docs: end typescript-openapi-generator

async function seen(end: string, countdownInput: CountdownInput) {
  // docs: begin typescript-openapi-generator-start
  const countdown = new CountdownApi(new Configuration({ basePath: process.argv[2], accessToken: process.env.RAINCHECK_KEY }));
  const started = await countdown.startCountdownRaw({ countdownInput });
  const { id } = await started.value();
  await pause(started.raw);
  // docs: end typescript-openapi-generator-start
  const shown: unknown[] = [];
  const seen = { end, id, location: started.raw.headers.get("location"), shown };
  // docs: begin typescript-openapi-generator-cancel
  if (end === "is-canceled") await countdown.cancelCountdown({ id });
  // docs: end typescript-openapi-generator-cancel
  try {
    const output = await result(countdown, id, (view) => shown.push(view.customStatus));
    return { ...seen, http: 200, status: "Succeeded", steps: output?.steps };
  } catch (error) {
    const { status, code, operation } = await problem(error);
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
