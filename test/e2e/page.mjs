// Uses the page of a running switch by keyboard alone in a real browser, judges
// what assistive technology sees of it, and takes its pictures.
//
//   npm ci
//   node page.mjs --url http://127.0.0.1:8080/ --login 1000 --password 1234 --number 9196
//
// Options: --pictures DIR (write page-desktop.png and page-phone.png there),
// --no-microphone (the browser has none: the page
// must listen only, and hear the number), --chromium P.
// The exit status is 0 if all was well; else 1, and "problems" says why.

import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { open } from "./browser.mjs";
import { judge as flaws, state, tabTo } from "./keyboard.mjs";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    url: { ...text, default: "http://127.0.0.1:8080/" }, login: { ...text, default: "1000" }, password: { ...text, default: "1234" },
    number: { ...text, default: "9196" }, pictures: text, "no-microphone": { type: "boolean", default: false },
    chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const limit = 40000; // ms for anything to happen
const pictureLimit = 100 * 1024; // bytes
const sizes = { desktop: { width: 800, height: 900 }, phone: { width: 375, height: 812 } };
const problems = [];
const steps = [];

const judge = async (page, where) => problems.push(...(await flaws(page, where)));

async function picture(page, name) {
  if (!o.pictures) return;
  const file = join(o.pictures, `page-${name}.png`);
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: file });
  if (statSync(file).size > pictureLimit) problems.push(`${file} is larger than ${pictureLimit} bytes`);
}

async function run(browser, name) {
  const page = await browser.newPage({ viewport: sizes[name], colorScheme: "light" });
  page.on("pageerror", (e) => problems.push("page: " + e.message));
  page.on("console", (m) => { if (m.type() === "error") problems.push("console: " + m.text()); });
  const step = (s) => steps.push(`${name}: ${s}`);
  await page.goto(o.url);
  await judge(page, name + ", signed out");
  await tabTo(page, "textbox", "Extension");
  await page.keyboard.type(o.login);
  await tabTo(page, "textbox", "Password");
  await page.keyboard.type(o.password);
  await page.keyboard.press("Enter");
  await state(page, /^Ready/);
  step("signed in");
  await tabTo(page, "textbox", "Number");
  await page.keyboard.type(o.number);
  await page.keyboard.press("Enter");
  await state(page, o["no-microphone"] ? /listening only/ : /^In call/);
  step("in call");
  if (!o["no-microphone"]) {
    for (const [control, on] of [["Mute", "true"], ["Mute", "false"]]) {
      await tabTo(page, "button", control);
      await page.keyboard.press("Space");
      if ((await page.getAttribute("#mute", "aria-pressed")) !== on) problems.push(`${control} is not ${on}`);
    }
    // The browser's own microphone beeps once a second, and the echo brings it back.
    const most = await page.evaluate(async (until) => {
      const most = { "level-out": 0, "level-in": 0 };
      do {
        await new Promise((r) => setTimeout(r, 50));
        for (const id in most) most[id] = Math.max(most[id], document.getElementById(id).value);
      } while (!Object.values(most).every((level) => level > 0.1) && Date.now() < until);
      return most;
    }, Date.now() + limit);
    for (const id in most) if (!(most[id] > 0.1)) problems.push(`${id} shows ${most[id]} at most`);
    await tabTo(page, "button", "Hold");
    await page.keyboard.press("Space");
    await state(page, /^On hold/);
    await page.keyboard.press("Space");
    await state(page, /^In call/);
    step("muted, held, resumed");
  } else {
    const sdp = await page.evaluate(() => window.switchlet.pc.localDescription.sdp);
    if (!/typ host/.test(sdp) || !/\.local /.test(sdp)) problems.push("the page names its address: " + sdp.match(/a=candidate.*/));
    for (let n = 0; !((await page.locator("#level-in").evaluate((e) => e.value)) > 0.1); n++) {
      if (n > 150) throw new Error("nothing is heard without a microphone");
      await page.waitForTimeout(100);
    }
    step("heard");
  }
  await page.keyboard.press("5"); // a digit of the call, wherever the focus is on a button
  await page.waitForTimeout(2500);
  await judge(page, name + ", in call");
  await picture(page, name);
  await tabTo(page, "button", "Hang up");
  await page.keyboard.press("Enter");
  await state(page, /^Call ended/);
  step("hung up");
  const entry = page.getByRole("region", { name: "Calls" }).getByRole("button", { name: new RegExp(`To ${o.number}`) }).first();
  await entry.waitFor({ timeout: limit });
  await entry.focus();
  await page.keyboard.press("Enter");
  await state(page, o["no-microphone"] ? /listening only/ : /^In call/);
  await tabTo(page, "button", "Hang up");
  await page.keyboard.press("Enter");
  await state(page, /^Call ended/);
  step("called again from the list");
  await judge(page, name + ", with calls in the list");
  await page.close();
}

const { browser, close } = await open({ chromium: o.chromium, tone: null, microphone: !o["no-microphone"] });
for (const name of Object.keys(sizes)) {
  try {
    await run(browser, name);
  } catch (e) {
    problems.push(`${name}: ${e.message.split("\n")[0]}`);
  }
}
await close();
console.log(JSON.stringify({ steps, problems }, null, 2));
process.exitCode = problems.length > 0 ? 1 : 0;
