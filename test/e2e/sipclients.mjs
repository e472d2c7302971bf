// Calls a running switch with the SIP clients that others wrote, JsSIP and SIP.js,
// over WebSocket, each in a real browser, and prints as JSON what they saw.
//
//   npm install --no-package-lock
//   node sipclients.mjs --ws ws://127.0.0.1:8080/sip --domain 127.0.0.1 --login 1000 --password 1234 --number 9197 --expect-hz 1004
//
// Options: --client jssip|sipjs (both), --expect-hz N (fail unless this frequency
// is heard, within 5 Hz), --tone N (what the microphone hears, 440), --wait (let
// the switch call: the number is not dialled), --chromium P. The exit status is 0
// if every client registered, was in a call, heard it, held it and hung up.

import { buildSync } from "esbuild";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    ws: { ...text, default: "ws://127.0.0.1:8080/sip" }, domain: { ...text, default: "127.0.0.1" }, login: { ...text, default: "1000" },
    password: { ...text, default: "1234" }, number: { ...text, default: "9196" }, tone: { ...text, default: "440" }, client: text,
    "expect-hz": text, wait: { type: "boolean", default: false }, chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "switchlet-sip-"));
const limit = 20000; // ms for one client's call

// bundle is a library as one script with a global name.
function bundle(entry, name) {
  return buildSync({ entryPoints: [join(here, "node_modules", entry)], bundle: true, format: "iife", globalName: name, write: false }).outputFiles[0].text;
}

// Each client: its library, and a function that runs in the page, makes or takes
// one call and returns when it is over. log gets what happened, in order; heard()
// measures a stream.
const clients = {
  jssip: {
    script: () => bundle("jssip/lib/JsSIP.js", "JsSIP"),
    run: (o, log, heard) => new Promise((done) => {
      const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(o.ws)], uri: `sip:${o.login}@${o.domain}`, password: o.password });
      const media = { mediaConstraints: { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false }, video: false }, pcConfig: { iceServers: [] } };
      ua.on("registered", () => {
        log.push("registered");
        if (!o.wait) ua.call(`sip:${o.number}@${o.domain}`, media);
      });
      ua.on("registrationFailed", (e) => { log.push("refused " + e.cause); done(); });
      ua.on("newRTCSession", ({ session }) => {
        if (session.direction === "incoming") session.answer(media);
        session.on("failed", (e) => { log.push("failed " + e.cause); done(); });
        session.on("ended", () => { log.push("ended"); ua.stop(); done(); });
        session.on("confirmed", async () => {
          if (log.includes("answered")) return;
          log.push("answered");
          const stream = new MediaStream(session.connection.getReceivers().map((r) => r.track));
          await heard(stream);
          session.sendDTMF("5");
          session.sendDTMF("6", { transportType: "RFC2833" });
          await new Promise((r) => setTimeout(r, 1000));
          session.hold({}, () => {
            log.push("held");
            session.unhold({}, async () => { log.push("resumed"); await heard(stream); session.terminate(); });
          });
        });
      });
      ua.start();
    }),
  },
  sipjs: {
    script: () => bundle("sip.js/lib/index.js", "SIP"),
    run: async (o, log, heard) => {
      const agent = new SIP.UserAgent({
        uri: SIP.UserAgent.makeURI(`sip:${o.login}@${o.domain}`), authorizationUsername: o.login, authorizationPassword: o.password,
        transportOptions: { server: o.ws }, logLevel: "error",
        sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
      });
      const audio = { sessionDescriptionHandlerOptions: { constraints: { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false }, video: false } } };
      let arrived;
      const invitation = new Promise((r) => { arrived = r; });
      agent.delegate = { onInvite: arrived };
      await agent.start();
      const registerer = new SIP.Registerer(agent);
      const registered = new Promise((r) => registerer.stateChange.addListener((s) => s === "Registered" && r()));
      await registerer.register();
      await registered;
      log.push("registered");
      const session = o.wait ? await invitation : new SIP.Inviter(agent, SIP.UserAgent.makeURI(`sip:${o.number}@${o.domain}`), audio);
      const state = (name) => new Promise((r) => session.stateChange.addListener((s) => s === name && r()));
      const up = state("Established"), down = state("Terminated");
      await (o.wait ? session.accept(audio) : session.invite());
      await Promise.race([up, down]);
      if (session.state !== "Established") { log.push("failed"); return; }
      log.push("answered");
      const handler = session.sessionDescriptionHandler;
      await heard(handler.remoteMediaStream);
      handler.sendDtmf("6");
      await session.info({ requestOptions: { body: { contentDisposition: "render", contentType: "application/dtmf-relay", content: "Signal=5\r\nDuration=160" } } });
      await new Promise((r) => setTimeout(r, 1000));
      for (const hold of [true, false]) {
        session.sessionDescriptionHandlerOptionsReInvite = { hold };
        await new Promise((done, failed) => session.invite({ requestDelegate: { onAccept: done, onReject: () => failed(new Error("re-INVITE refused")) } }));
        log.push(hold ? "held" : "resumed");
      }
      await new Promise((r) => setTimeout(r, 300));
      await heard(handler.remoteMediaStream);
      await session.bye();
      await down;
      log.push("ended");
      await registerer.unregister();
      await agent.stop();
    },
  },
};

// measure returns in the page the frequency and level of a stream, and keeps it.
const measure = `async (stream) => {
  const sound = new Audio(); sound.srcObject = stream; sound.play();
  const context = new AudioContext({ sampleRate: 48000 });
  await context.resume();
  const analyser = context.createAnalyser();
  analyser.fftSize = 8192; analyser.smoothingTimeConstant = 0;
  context.createMediaStreamSource(stream).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  const list = [];
  for (let n = 0; n < 10; n++) {
    await new Promise((r) => setTimeout(r, 200));
    analyser.getFloatFrequencyData(bins);
    let k = 2;
    for (let i = 2; i < bins.length - 1; i++) if (bins[i] > bins[k]) k = i;
    const [l, c, r] = [bins[k - 1], bins[k], bins[k + 1]];
    if (bins[k] > -60) list.push((k + ((l - r) / (2 * (l - 2 * c + r)) || 0)) * 48000 / 8192);
  }
  await context.close();
  window.heardHz.push(list.length ? Number(list.sort((a, b) => a - b)[Math.floor(list.length / 2)].toFixed(1)) : 0);
}`;

function serve() {
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end('<!doctype html><link rel="icon" href="data:,">');
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

async function call(browser, base, client) {
  const page = await browser.newPage();
  const seen = { log: [], heard: [], problems: [] };
  page.on("pageerror", (e) => seen.problems.push(e.message));
  if (process.env.DEBUG) page.on("console", (m) => console.error(m.text()));
  try {
    await page.goto(base);
    await page.addScriptTag({ content: client.script() });
    const run = `(async () => { window.heardHz = []; const log = []; const heard = ${measure};
      await Promise.race([(${client.run})(${JSON.stringify(o)}, log, heard), new Promise((r) => setTimeout(() => { log.push("timeout"); r(); }, ${limit}))]);
      return { log, heard: window.heardHz }; })()`;
    Object.assign(seen, await page.evaluate(run));
  } catch (e) {
    seen.problems.push(e.message.split("\n")[0]);
  }
  await page.close();
  for (const step of ["registered", "answered", "held", "resumed", "ended"]) if (!seen.log.includes(step)) seen.problems.push("not " + step);
  const want = o["expect-hz"];
  if (seen.heard.length < 2) seen.problems.push("did not listen twice");
  for (const hz of seen.heard) if (!(hz > 0) || (want && Math.abs(hz - want) > 5)) seen.problems.push(`heard ${hz} Hz, expected ${want ?? "something"}`);
  return seen;
}

const tone = join(folder, "tone.wav");
execFileSync("sox", ["-n", "-r", "48000", "-c", "1", "-b", "16", tone, "synth", "60", "sine", o.tone, "vol", "0.5"]);
const server = await serve();
const report = {};
const browser = await chromium.launch({
  executablePath: o.chromium, headless: true,
  args: ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--use-file-for-fake-audio-capture=" + tone,
    "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--disable-dev-shm-usage", "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--ignore-certificate-errors"],
});
for (const [name, client] of Object.entries(clients)) {
  if (!o.client || o.client === name) report[name] = await call(browser, `http://127.0.0.1:${server.address().port}/`, client);
}
await browser.close();
server.close();
rmSync(folder, { recursive: true, force: true });
console.log(JSON.stringify(report, null, 2));
process.exitCode = Object.values(report).some((r) => r.problems.length > 0) ? 1 : 0;
