// Uses the page for those who run the switch, with a call that runs and a script
// that failed, in a real browser.
//
//   node switch.mjs --url http://127.0.0.1:8080/ --password SECRET --destination 9664 --failure broken.lua
//
// --password is the event socket's, --destination what the running call dialled, --failure a part of
// the traceback; --pictures DIR writes page-switch.png there, --chromium P names the browser. The exit
// status is 0 if all was well; else 1, and "problems" says why.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    url: { ...text, default: "http://127.0.0.1:8080/" }, password: text, destination: text, failure: text, pictures: text,
    chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const limit = 30000; // ms for anything to happen
const problems = [];
const seen = {};

async function run(page) {
  page.on("pageerror", (e) => problems.push("page: " + e.message));
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("401")) problems.push("console: " + m.text()); });
  const state = (pattern) => page.getByRole("status").filter({ hasText: pattern }).waitFor({ timeout: limit });
  await page.goto(o.url);
  await page.getByRole("link", { name: "run the switch" }).click();
  const signIn = async (password) => {
    await page.getByLabel("Password of the event socket").fill(password);
    await page.keyboard.press("Enter");
  };
  await signIn("a-guess");
  await state(/^Refused/);
  await signIn(o.password);
  await state(/^Signed in/);

  const leg = page.getByRole("article").filter({ hasText: "to " + o.destination }).filter({ hasText: "MOS" });
  await leg.waitFor({ timeout: limit });
  await leg.getByText("Sound").click();
  seen.chain = await leg.locator("pre").textContent();
  if (!/^gear: /m.test(seen.chain) || !/^read: receive/m.test(seen.chain)) problems.push("the chain is " + seen.chain);
  if (o.pictures) await page.screenshot({ path: join(o.pictures, "page-switch.png") });

  await page.getByRole("tab", { name: "Log" }).click();
  await page.getByRole("list", { name: "Log" }).getByText(o.failure).first().waitFor({ timeout: limit });
  await page.getByRole("tab", { name: "Scripts" }).click();
  const failed = page.getByRole("list", { name: "Failed scripts" }).getByRole("listitem").filter({ hasText: o.failure }).first();
  await failed.getByText("in main chunk").waitFor({ timeout: limit });
  await page.getByRole("tab", { name: "Events" }).click();
  await page.getByLabel(/^Names of events/).fill("HEARTBEAT DTMF CHANNEL_HANGUP_COMPLETE");
  await page.keyboard.press("Tab");
  console.error("ready"); // whoever runs this ends the call now
  const ended = page.getByRole("list", { name: "Events" }).getByText("CHANNEL_HANGUP_COMPLETE").first();
  await ended.waitFor({ timeout: limit });
  await ended.click();
  await page.getByText("Unique-ID:").first().waitFor({ timeout: limit });
  await page.getByRole("tab", { name: "Calls" }).click();
  await page.getByText("No calls").waitFor({ timeout: limit });
  for (let n = 0; ; n++) { // rows are written in batches
    await page.getByRole("tab", { name: "History" }).click();
    const row = page.getByRole("row").filter({ hasText: o.destination }).filter({ hasText: "NORMAL_CLEARING" }).first();
    if (await row.waitFor({ timeout: 1000 }).then(() => true, () => false)) break;
    if (n === 10) throw new Error("the history has no row of the call");
    await page.getByRole("tab", { name: "Calls" }).click();
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  await state(/^Not signed in/);
}

const browser = await chromium.launch({ executablePath: o.chromium, headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
try {
  await run(await browser.newPage({ viewport: { width: 900, height: 600 }, colorScheme: "light" }));
} catch (e) {
  problems.push(e.message.split("\n").slice(0, 4).join(" "));
}
await browser.close();
console.log(JSON.stringify({ seen, problems }, null, 2));
process.exitCode = problems.length > 0 ? 1 : 0;
