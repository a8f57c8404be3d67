// A page that watches an approval, and decides once it has seen it: updates.mjs PAGE STREAM EVENT_LINK, with the browser in
// CHROMIUM. It prints as a line of JSON which views an EventSource showed until it stopped by itself, and what was answered
// to its requests.

import { chromium } from "playwright-core";

const [here, stream, link] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  const answers = [];
  page.on("response", (answer) => answer.url() === stream && answers.push(answer.status()));
  await page.goto(here);
  const views = await page.evaluate(
    ([stream, link]) =>
      new Promise((stopped) => {
        const [source, views] = [new EventSource(stream), []];
        source.addEventListener("status", (event) => views.push(JSON.parse(event.data)));
        const decision = { method: "POST", headers: { "content-type": "application/json" }, body: '{"approved":true}' };
        source.addEventListener("status", () => fetch(link, decision), { once: true });
        source.addEventListener("error", () => source.readyState === EventSource.CLOSED && stopped(views));
      }),
    [stream, link],
  );
  console.log(JSON.stringify({ views, answers }));
} finally {
  await browser.close();
}
