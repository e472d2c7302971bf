// Calls a running switch with a real browser through its own page, and prints as
// JSON what was heard: frequency, level, packets, states.
//
//   npm install --no-package-lock
//   node call.mjs --url http://127.0.0.1:8080/ --login 1000 --password 1234 --number 9196
//
// Options:
//   --hz N          tone that the fake microphone hears (440); 0 is silence
//   --vol N         its level as sox has it (0.5, which is -9 dBFS)
//   --seconds N     how long to listen (4)
//   --settle MS     how long to wait after the digits before listening (0)
//   --await-end     let the switch end the call instead of hanging up
//   --voice N       listen so many seconds before anything else, and tell how long a voice is heard
//   --digits S      digits to press one after the other, with the page's buttons
//   --rfc4733 S     digits to send as telephone-events
//   --hold          hold and take back in the middle, and tell both states
//   --loopback      let Chromium use the loopback address for sound as well
//   --wait          do not dial: wait for a call and answer it
//   --reload        reload the page in the call and sign in again: the call must come back
//   --expect-hz N   fail unless this frequency is heard, within 3 Hz
//   --expect-db N   fail unless this level is heard, within 1.5 dB
//   --chromium P    the browser (/usr/bin/chromium)
//
// The exit status is 0 if the call was answered, heard what was expected and
// ended; else 1, and "problems" says why.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const text = { type: "string" };
const flag = { type: "boolean", default: false };
const { values: o } = parseArgs({
  options: {
    url: { ...text, default: "http://127.0.0.1:8080/" }, login: { ...text, default: "1000" }, password: { ...text, default: "1234" },
    number: { ...text, default: "9196" }, hz: { ...text, default: "440" }, vol: { ...text, default: "0.5" },
    seconds: { ...text, default: "4" }, voice: text, digits: text, rfc4733: text, hold: flag, loopback: flag, wait: flag, reload: flag,
    settle: { ...text, default: "0" }, "await-end": flag, "expect-hz": text, "expect-db": text, chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const limit = 15000; // ms for anything to happen
const folder = mkdtempSync(join(tmpdir(), "switchlet-e2e-"));
const report = { url: o.url, number: o.wait ? null : o.number, states: [], problems: [] };

function toneFile() {
  const file = join(folder, "tone.wav");
  const tone = Number(o.hz) > 0 ? ["synth", "60", "sine", o.hz, "vol", o.vol] : ["trim", "0", "60"];
  execFileSync("sox", ["-n", "-r", "48000", "-c", "1", "-b", "16", file, ...tone]);
  return file;
}

function launch(file) {
  const args = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
    "--use-file-for-fake-audio-capture=" + file, "--autoplay-policy=no-user-gesture-required", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-features=WebRtcHideLocalIpsWithMdns", "--ignore-certificate-errors"];
  if (o.loopback) args.push("--allow-loopback-in-peer-connection");
  return chromium.launch({ executablePath: o.chromium, headless: true, args });
}

// listen measures in the page what comes in: a list of {hz, db}, one each 200 ms.
function listen(page, seconds) {
  return page.evaluate(async (seconds) => {
    const sound = document.getElementById("sound");
    const context = new AudioContext({ sampleRate: 48000 });
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(sound.srcObject).connect(analyser);
    const wave = new Float32Array(analyser.fftSize);
    const bins = new Float32Array(analyser.frequencyBinCount);
    const list = [];
    for (let n = 0; n < seconds * 5; n++) {
      await new Promise((r) => setTimeout(r, 200));
      analyser.getFloatTimeDomainData(wave);
      analyser.getFloatFrequencyData(bins);
      const power = wave.reduce((sum, x) => sum + x * x, 0) / wave.length;
      let k = 2;
      for (let i = 2; i < bins.length - 1; i++) if (bins[i] > bins[k]) k = i;
      const [l, c, r] = [bins[k - 1], bins[k], bins[k + 1]];
      const shift = (l - r) / (2 * (l - 2 * c + r)) || 0;
      list.push({ hz: ((k + shift) * 48000) / 8192, db: power > 0 ? 10 * Math.log10(power) : -120 });
    }
    await context.close();
    return list;
  }, seconds);
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function summary(samples) {
  const steady = samples.slice(3);
  return { hz: Number(median(steady.map((s) => s.hz)).toFixed(1)), db: Number(median(steady.map((s) => s.db)).toFixed(1)) };
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

async function run(page) {
  await page.addInitScript(() => {
    addEventListener("DOMContentLoaded", () => setTimeout(() => {
      Object.assign(window.switchlet.audio, { echoCancellation: false, noiseSuppression: false, autoGainControl: false });
    }));
  });
  await page.goto(o.url);
  await signIn(page);
  await state(page, /^Ready/);
  const began = Date.now();
  if (o.wait) {
    await state(page, /^Call from/);
    await page.click("#answer");
  } else {
    await page.fill("#number", o.number);
    await page.click("#call");
  }
  await state(page, /^In call/);
  report.answeredAfterMs = Date.now() - began;
  await soundThere(page);
  if (o.voice) report.voice = voice(await listen(page, Number(o.voice)));
  if (o.digits) for (const d of o.digits) await page.click(`[data-digit="${d}"]`);
  if (o.rfc4733) await telephoneEvents(page, o.rfc4733);
  if (o.hold) {
    await page.click("#hold");
    await state(page, /^On hold/);
    await page.click("#hold");
    await state(page, /^In call/);
  }
  if (o.reload) {
    await page.reload();
    await signIn(page);
    await state(page, /^In call/);
    await soundThere(page);
  }
  await page.waitForTimeout(Number(o.settle));
  Object.assign(report, summary(await listen(page, Number(o.seconds))));
  report.quality = await page.textContent("#quality");
  report.stats = await stats(page);
  if (!o["await-end"] && (await page.isEnabled("#hangup"))) await page.click("#hangup");
  await state(page, /^Call ended/);
}

function judge() {
  const hz = o["expect-hz"], db = o["expect-db"];
  if (hz !== undefined && !(Math.abs(report.hz - hz) <= 3)) report.problems.push(`heard ${report.hz} Hz, expected ${hz}`);
  if (db !== undefined && !(Math.abs(report.db - db) <= 1.5)) report.problems.push(`heard ${report.db} dBFS, expected ${db}`);
}

let browser;
try {
  browser = await launch(toneFile());
  const page = await browser.newPage();
  page.on("pageerror", (e) => report.problems.push("page: " + e.message));
  page.on("console", (m) => { if (m.type() === "error") report.problems.push("console: " + m.text()); });
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
  if (browser) await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(JSON.stringify(report, null, 2));
process.exitCode = report.problems.length > 0 ? 1 : 0;
