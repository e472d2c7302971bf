// Calls a number from the page, and enters what the switch asks for, by keyboard.
//
//   node prompt.mjs --url http://127.0.0.1:8080/ --login 1000 --password 1234 --number 9196
//
// It says "in call" on its standard error when the switch may ask. It wants to be
// asked for digits of which "12" are not enough and "1234" are, then for a text, and
// answers "Alice"; then it wants constraints that switch noise suppression off, and
// hangs up. Options: --chromium P. The exit status is 0 if all was well; else 1, and
// "problems" says why.

import { parseArgs } from "node:util";
import { open } from "./browser.mjs";
import { judge, state, tabTo } from "./keyboard.mjs";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    url: { ...text, default: "http://127.0.0.1:8080/" }, login: { ...text, default: "1000" }, password: { ...text, default: "1234" },
    number: { ...text, default: "9196" }, chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const limit = 40000; // ms for anything to happen
const problems = [];
const say = (line) => process.stderr.write(line + "\n");

async function run(browser) {
  const page = await browser.newPage({ viewport: { width: 375, height: 812 } });
  page.on("pageerror", (e) => problems.push("page: " + e.message));
  page.on("console", (m) => { if (m.type() === "error") problems.push("console: " + m.text()); });
  const form = page.locator("#prompt");
  const asked = async (label) => {
    await page.getByRole("textbox", { name: label, exact: true }).waitFor({ timeout: limit });
    if (!(await page.locator("#prompt-answer").evaluate((e) => e === document.activeElement))) problems.push(`${label}: the field has no focus`);
    problems.push(...(await judge(page, label)));
  };
  await page.goto(o.url);
  await page.fill("#login", o.login);
  await page.fill("#password", o.password);
  await page.click("#signin");
  await state(page, /^Ready/);
  await page.fill("#number", o.number);
  await page.keyboard.press("Enter");
  await state(page, /^In call/);
  if (await form.isVisible()) problems.push("a field is there before anybody asks");
  say("in call");
  await asked("Your PIN?");
  await page.keyboard.type("12");
  await page.keyboard.press("Enter");
  if (!(await form.isVisible())) problems.push("12 was taken for four digits");
  await page.keyboard.type("34");
  await page.keyboard.press("Enter");
  await form.waitFor({ state: "hidden", timeout: limit });
  say("entered digits");
  await asked("Your name?");
  await page.keyboard.type("Alice");
  await tabTo(page, "button", "Send");
  await page.keyboard.press("Space");
  await form.waitFor({ state: "hidden", timeout: limit });
  say("entered a text");
  await page.waitForFunction(() => document.querySelector("#level-out") && window.switchlet.pc.getSenders()[0].track.getConstraints().noiseSuppression === false, null, { timeout: limit });
  await page.click("#hangup");
  await state(page, /^Call ended/);
  await page.close();
}

const { browser, close } = await open({ chromium: o.chromium });
try {
  await run(browser);
} catch (e) {
  problems.push(e.message.split("\n")[0]);
}
await close();
console.log(JSON.stringify({ problems }, null, 2));
process.exitCode = problems.length > 0 ? 1 : 0;
