// A person with the two links of a message: approve.mjs APPROVE_LINK REJECT_LINK [FOLDER], with the browser in CHROMIUM. It
// prints what each page showed as a line of JSON, and leaves pictures of them in FOLDER.

import { chromium } from "playwright-core";

const [approve, reject, folder] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  // Nothing on these pages needs a script.
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 480, height: 420 } });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));

  async function show(name, answer) {
    const texts = (selector) => page.locator(selector).allInnerTexts();
    const seen = { name, status: answer.status(), heading: await texts("h1"), text: await texts(".text") };
    console.log(JSON.stringify({ ...seen, buttons: await texts("button"), notice: await texts(".notice"), complaints }));
    for (const colorScheme of folder ? ["light", "dark"] : []) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png` });
    }
  }

  await show("rejecting", await page.goto(reject));
  await show("asked", await page.goto(approve));
  // By name, as one who does not see the page would find it; and by keyboard.
  await page.getByRole("button", { name: "Approve" }).focus();
  const [answer] = await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await show("chosen", answer);
  await show("again", await page.goto(reject));
  await show("stranger", await page.goto(approve.replace("token=", "token=x")));
} finally {
  await browser.close();
}
