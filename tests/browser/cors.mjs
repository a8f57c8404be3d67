// Pages in a real browser that call a server: cors.mjs BASE_URL ALLOWED_PAGE OTHER_PAGE, with the key in RAINCHECK_KEY and
// the browser in CHROMIUM. It prints what each page saw as a line of JSON.

import { chromium } from "playwright-core";

const [base, allowed, other] = process.argv.slice(2);

// In the page: starts an operation, and follows its Location, which needs no key, to the end.
async function follow([base, key]) {
  const pause = (answer) => new Promise((wake) => setTimeout(wake, 1000 * answer.headers.get("retry-after")));
  const started = await fetch(`${base}/v1/actions/countdown`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "idempotency-key": location.origin },
    body: JSON.stringify({ seconds: 4, steps: 3 }),
  });
  const seen = { origin: location.origin, location: started.headers.get("location"), statuses: [started.status] };
  for (let answer = started; answer.status === 202; seen.statuses.push(answer.status)) {
    await pause(answer);
    answer = await fetch(seen.location);
    seen.view = await answer.json();
  }
  return seen;
}

// In the page: what becomes of a request that needs no leave to be sent, only to be read.
const read = (url) => fetch(url).then((answer) => answer.status, (error) => String(error));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  await page.goto(allowed);
  const seen = await page.evaluate(follow, [base, process.env.RAINCHECK_KEY]);
  console.log(JSON.stringify(seen));

  await page.goto(other);
  const start = page.evaluate(follow, [base, process.env.RAINCHECK_KEY]);
  const refused = { start: await start.catch(String), poll: await page.evaluate(read, seen.location) };
  console.log(JSON.stringify({ origin: await page.evaluate("location.origin"), ...refused }));
} finally {
  await browser.close();
}
