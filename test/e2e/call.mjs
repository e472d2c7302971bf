// Calls a running switch with a real browser through its own page, and prints as
// JSON what was heard: frequency, level, packets, states.
//
//   npm ci
//   node call.mjs --url http://127.0.0.1:8080/ --login 1000 --password 1234 --number 9196
//
// Options:
//   --hz N          tone that the fake microphone hears (440); 0 is silence
//   --vol N         its level as sox has it (0.5, which is -9 dBFS)
//   --settle MS     how long to wait after the digits before listening (0)
//   --await-end     let the switch end the call instead of hanging up
//   --voice N       listen so many seconds before anything else, and tell how long a voice is heard
//   --digits S      digits to press one after the other, with the page's buttons
//   --rfc4733 S     digits to send as telephone-events
//   --hold          hold and take back in the middle: it must be silent in between
//   --loopback      let Chromium use the loopback address for sound as well
//   --wait          do not dial: write "waiting" to standard error, and answer a call
//   --reload        reload the page in the call and sign in again: the call must come back
//   --second        sign in with a second tab of the same session: it must take the call over
//   --expect-hz N   wait until this frequency is heard (any), within 3 Hz
//   --expect-db=N   fail unless that has this level, within 1.5 dB
//   --chromium P    the browser (/usr/bin/chromium)
//
// The exit status is 0 if the call was answered, heard what was expected and
// ended; else 1, and "problems" says why.

import { parseArgs } from "node:util";
import { ears, open } from "./browser.mjs";

const text = { type: "string" };
const flag = { type: "boolean", default: false };
const { values: o } = parseArgs({
  options: {
    url: { ...text, default: "http://127.0.0.1:8080/" }, login: { ...text, default: "1000" }, password: { ...text, default: "1234" },
    number: { ...text, default: "9196" }, hz: { ...text, default: "440" }, vol: { ...text, default: "0.5" },
    voice: text, digits: text, rfc4733: text, hold: flag, loopback: flag, wait: flag, reload: flag, second: flag,
    settle: { ...text, default: "0" }, "await-end": flag, "expect-hz": text, "expect-db": text, chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const limit = 40000; // ms for anything to happen
const report = { url: o.url, number: o.wait ? null : o.number, states: [], problems: [] };

// heard is what the page's loudspeaker gets: steady, and the tone that is expected.
function heard(page, what, hz) {
  return page.evaluate(([what, hz]) => window.ears[what](document.getElementById("sound").srcObject, hz), [what, hz]);
}

// voice tells how long something was said, how loud, and how far its loudest
// frequency wanders: a tone's does not.
function voice(samples) {
  const said = samples.filter((s) => s.db > -45);
  const mean = said.reduce((sum, s) => sum + s.hz, 0) / said.length;
  const spread = Math.sqrt(said.reduce((sum, s) => sum + (s.hz - mean) ** 2, 0) / said.length);
  return { seconds: said.length / 5, db: said.length ? Math.max(...said.map((s) => s.db)) : -120, spread: spread || 0 };
}

function stats(page) {
  return page.evaluate(async () => {
    const out = {};
    if (!window.switchlet.pc) return out;
    const all = await window.switchlet.pc.getStats();
    all.forEach((s) => {
      if (s.type === "inbound-rtp") {
        Object.assign(out, { received: s.packetsReceived, lost: s.packetsLost, concealed: s.concealedSamples });
        const codec = all.get(s.codecId);
        if (codec) out.codec = codec.mimeType;
      }
      if (s.type === "outbound-rtp") out.sent = s.packetsSent;
      if (s.type === "remote-inbound-rtp") out.sentLost = s.packetsLost;
      if (s.type === "candidate-pair" && s.nominated) out.roundTrip = s.currentRoundTripTime;
    });
    return out;
  });
}

async function state(page, pattern) {
  await page.locator("#state").filter({ hasText: pattern }).waitFor({ timeout: limit });
  report.states.push(await page.textContent("#state"));
}

// soundThere waits for the switch's stream. The page's policy forbids to wait
// with a function of the page's own.
async function soundThere(page) {
  const until = Date.now() + limit;
  while (!(await page.evaluate(() => document.getElementById("sound").srcObject !== null))) {
    if (Date.now() > until) throw new Error("no stream from the switch");
    await page.waitForTimeout(50);
  }
}

async function signIn(page) {
  await page.fill("#login", o.login);
  await page.fill("#password", o.password);
  await page.click("#signin");
}

async function telephoneEvents(page, digits) {
  await page.evaluate((digits) => {
    window.switchlet.pc.getSenders().find((s) => s.dtmf).dtmf.insertDTMF(digits, 120, 80);
  }, digits);
  await page.waitForTimeout(digits.length * 200 + 300);
}

// listen waits until what is expected is heard, or anything.
async function listen(page) {
  Object.assign(report, o["expect-hz"] !== undefined ? await heard(page, "tone", Number(o["expect-hz"])) : await heard(page, "anything"));
}

// plain keeps the browser from changing the tone of the microphone.
const plain = () => addEventListener("DOMContentLoaded", () => setTimeout(() => {
  Object.assign(window.switchlet.audio, { echoCancellation: false, noiseSuppression: false, autoGainControl: false });
}));

async function run(page) {
  await page.goto(o.url);
  await signIn(page);
  await state(page, /^Ready/);
  const began = Date.now();
  if (o.wait) {
    console.error("waiting");
    await state(page, /^Call from/);
    await page.click("#answer");
  } else {
    await page.fill("#number", o.number);
    await page.click("#call");
  }
  await state(page, /^In call/);
  report.answeredAfterMs = Date.now() - began;
  await soundThere(page);
  if (o.voice) report.voice = voice(await heard(page, "all", Number(o.voice)));
  if (o.digits) for (const d of o.digits) await page.click(`[data-digit="${d}"]`);
  if (o.rfc4733) await telephoneEvents(page, o.rfc4733);
  if (o.hold) {
    await listen(page);
    await page.click("#hold");
    await state(page, /^On hold/);
    report.held = await heard(page, "silence");
    await page.click("#hold");
    await state(page, /^In call/);
  }
  if (o.reload) {
    await page.reload();
    await signIn(page);
    await state(page, /^In call/);
    await soundThere(page);
  }
  if (o.second) {
    const first = page;
    [page] = await Promise.all([first.waitForEvent("popup"), first.evaluate(() => { window.open(location.href); })]);
    await page.waitForLoadState();
    await signIn(page);
    await state(page, /^In call/);
    await state(first, /^Signed in elsewhere/);
    await soundThere(page);
  }
  await page.waitForTimeout(Number(o.settle));
  await listen(page);
  report.stats = await stats(page);
  // The quality line comes every two seconds.
  await page.locator("#quality").filter({ hasText: /loss .*round trip/ }).waitFor({ timeout: limit });
  report.quality = await page.textContent("#quality");
  console.error("heard");
  if (!o["await-end"] && (await page.isEnabled("#hangup"))) await page.click("#hangup");
  await state(page, /^Call ended/);
}

function judge() {
  const db = o["expect-db"];
  if (db !== undefined && !(Math.abs(report.db - db) <= 1.5)) report.problems.push(`heard ${report.db} dBFS, expected ${db}`);
}

let opened;
try {
  opened = await open({ chromium: o.chromium, tone: o.hz, vol: o.vol, loopback: o.loopback });
  const context = await opened.browser.newContext();
  await context.addInitScript(ears);
  await context.addInitScript(plain);
  context.on("page", (page) => {
    page.on("pageerror", (e) => report.problems.push("page: " + e.message));
    page.on("console", (m) => { if (m.type() === "error") report.problems.push("console: " + m.text()); });
  });
  const page = await context.newPage();
  try {
    await run(page);
    judge();
  } catch (e) {
    report.problems.push(e.message.split("\n")[0]);
    report.states.push(await page.textContent("#state").catch(() => "?"));
  }
} catch (e) {
  report.problems.push(e.message.split("\n")[0]);
} finally {
  if (opened) await opened.close();
}
console.log(JSON.stringify(report, null, 2));
process.exitCode = report.problems.length > 0 ? 1 : 0;
