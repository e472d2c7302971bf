// Transfers a call of a running switch by the page and by keyboard alone, after
// asking the one who is to take it; prints as JSON what happened.
//
//   npm ci
//   node transfer.mjs --url http://127.0.0.1:8080/ --login 1000 --password 1234 --number 1001 --ask 1002 --refuses 1003
//
// It calls the number, hears its tone (--hz), asks another (--ask, whose tone is
// --ask-hz), goes back, asks somebody who refuses (--refuses), is back by itself,
// asks the second again, loads the page anew, and connects the two. Standard error gets a line for each
// step. The exit status is 0 if all was well; else 1, and "problems" says why.

import { parseArgs } from "node:util";
import { ears, open } from "./browser.mjs";
import { judge, state, tabTo } from "./keyboard.mjs";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    url: { ...text, default: "http://127.0.0.1:8080/" }, login: { ...text, default: "1000" }, password: { ...text, default: "1234" },
    number: { ...text, default: "1001" }, hz: { ...text, default: "1000" }, ask: { ...text, default: "1002" }, "ask-hz": { ...text, default: "700" },
    refuses: { ...text, default: "1003" }, chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const problems = [];
const steps = [];
const step = (name) => { steps.push(name); console.error(name); };

async function run(browser) {
  const page = await browser.newPage({ viewport: { width: 375, height: 812 } });
  page.on("pageerror", (e) => problems.push("page: " + e.message));
  page.on("console", (m) => { if (m.type() === "error") problems.push("console: " + m.text()); });
  await page.addInitScript(ears);
  const hears = (hz) => page.evaluate((hz) => window.ears.tone(document.getElementById("sound").srcObject, hz), Number(hz));
  const press = async (role, name, key = "Enter") => { await tabTo(page, role, name); await page.keyboard.press(key); };
  const type = async (name, what) => { await tabTo(page, "textbox", name); await page.keyboard.type(what); };
  const talksTo = (who) => state(page, new RegExp(`^In call with .*${who}`));
  const ask = async (who) => { await type("Transfer to", who); await press("button", "Ask first"); };

  const signIn = async () => {
    await page.fill("#login", "");
    await type("Extension", o.login);
    await type("Password", o.password);
    await page.keyboard.press("Enter");
  };

  await page.goto(o.url);
  await signIn();
  await state(page, /^Ready/);
  await type("Number", o.number);
  await page.keyboard.press("Enter");
  await talksTo(o.number);
  await hears(o.hz);
  step("in call");

  await ask(o.ask);
  await talksTo(o.ask);
  const waits = page.getByRole("group", { name: new RegExp(`^On hold: .*${o.number}`) });
  await waits.waitFor();
  await hears(o["ask-hz"]);
  problems.push(...(await judge(page, "asking")));
  step("asking");
  await press("button", "Go back");
  await talksTo(o.number);
  await hears(o.hz);
  if (await waits.isVisible()) problems.push("somebody still waits");
  step("back");

  await ask(o.refuses);
  await state(page, new RegExp(`^Call ended: CALL_REJECTED. In call with .*${o.number}`));
  await hears(o.hz);
  step("refused");

  await ask(o.ask);
  await talksTo(o.ask);
  await hears(o["ask-hz"]);
  await page.reload();
  await signIn();
  await talksTo(o.ask);
  await waits.waitFor();
  await hears(o["ask-hz"]);
  step("loaded again");
  await press("button", "Complete transfer", "Space");
  await state(page, new RegExp(`^Transferred .*${o.number}.* to .*${o.ask}`));
  if (await page.isEnabled("#hangup")) problems.push("there is still a call");
  if (!(await page.getByRole("textbox", { name: "Number" }).evaluate((e) => e === document.activeElement))) problems.push("the keyboard's focus is lost");
  if (await waits.isVisible()) problems.push("somebody still waits");
  step("transferred");
}

const { browser, close } = await open({ chromium: o.chromium });
try {
  await run(browser);
} catch (e) {
  problems.push(`after ${steps.at(-1)}: ${e.message.split("\n")[0]}`);
}
await close();
console.log(JSON.stringify({ steps, problems }, null, 2));
process.exitCode = problems.length > 0 ? 1 : 0;
