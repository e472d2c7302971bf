// Calls a running switch with the Verto clients that others wrote, each in a
// real browser, and prints as JSON what they saw.
//
//   npm install --no-package-lock
//   node clients.mjs --ws ws://127.0.0.1:8081 --login 1000 --password 1234 --number 9196
//
// Options: --client jquery|vertojs|signalwire (all), --chromium P. The exit status
// is 0 if every client logged in, was answered, heard the call and hung up.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    ws: { ...text, default: "ws://127.0.0.1:8081" }, login: { ...text, default: "1000" }, password: { ...text, default: "1234" },
    number: { ...text, default: "9196" }, client: text, chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const here = dirname(fileURLToPath(import.meta.url));
const limit = 15000; // ms for one client's call

// Each client: the scripts of its page, and a function that runs there, makes one
// call and returns what happened, in order.
const clients = {
  jquery: {
    scripts: ["jquery/dist/jquery.js", "verto/src/jquery.jsonrpcclient.js", "verto/src/jquery.FSRTC.js", "verto/src/jquery.verto.js"],
    run: (o, log) => new Promise((done) => {
      jQuery.toJSON = JSON.stringify;
      let call = null;
      const verto = new jQuery.verto({
        login: o.login, passwd: o.password, socketUrl: o.ws, tag: "picture", ringFile: "", videoParams: {}, audioParams: {},
        iceServers: false, deviceParams: { useMic: "any", useSpeak: "any" },
      }, {
        onWSLogin: (_, ok) => {
          log.push(ok ? "logged in" : "refused");
          if (ok && !call) {
            call = verto.newCall({ destination_number: o.number, caller_id_name: "Test", caller_id_number: "1", useVideo: false, useStereo: false, useMic: "any" });
          }
        },
        onMessage: () => {}, onEvent: () => {},
        onDialogState: (d) => {
          if (d.state.name === "active") {
            log.push("answered");
            setTimeout(() => { d.dtmf("5"); setTimeout(() => d.hangup(), 500); }, 1500);
          }
          if (d.state.name === "destroy") { log.push("ended"); done(); }
        },
      });
    }),
  },
  vertojs: {
    scripts: ["vertojs/dist/verto.js"],
    run: async (o, log) => {
      const verto = new Verto.Verto({ transportConfig: { socketUrl: o.ws, login: o.login, passwd: o.password }, rtcConfig: {} });
      await verto.login();
      log.push("logged in");
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      await new Promise((done) => {
        const call = verto.call(stream.getTracks(), o.number, {});
        call.subscribeEvent("answer", () => {
          log.push("answered");
          setTimeout(() => { call.toggleHold(); setTimeout(() => call.hangup(), 500); }, 1000);
        });
        call.subscribeEvent("bye", () => { log.push("ended"); done(); });
      });
    },
  },
  signalwire: {
    scripts: ["@signalwire/js/dist/index.min.js"],
    run: (o, log) => new Promise((done) => {
      const client = new Verto({ host: o.ws, login: o.login, password: o.password });
      let answered = false;
      client.remoteElement = "sound";
      client.enableMicrophone();
      client.disableWebcam();
      client.on("signalwire.ready", () => {
        log.push("logged in");
        client.newCall({ destinationNumber: o.number, audio: true, video: false, callerName: "Test" });
      });
      client.on("signalwire.error", (e) => log.push("error " + JSON.stringify(e)));
      client.on("signalwire.notification", (n) => {
        if (!n.call) return;
        if (n.call.state === "active" && !answered) {
          answered = true;
          log.push("answered");
          setTimeout(() => { n.call.dtmf("5"); n.call.hold().then(() => n.call.hangup()); }, 1000);
        }
        if (n.call.state === "destroy") { log.push("ended"); done(); }
      });
      client.connect();
    }),
  },
};

// pages serves an empty page and the clients' scripts on any free port.
function pages() {
  const server = createServer((request, response) => {
    if (request.url === "/") {
      response.setHeader("Content-Type", "text/html");
      response.end('<!doctype html><link rel="icon" href="data:,"><audio id="sound" autoplay></audio><video id="picture" autoplay></video>');
      return;
    }
    try {
      response.setHeader("Content-Type", "text/javascript");
      response.end(readFileSync(join(here, "node_modules", new URL(request.url, "http://x").pathname)));
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

async function call(browser, base, client) {
  const page = await browser.newPage();
  const seen = { log: [], problems: [] };
  page.on("pageerror", (e) => seen.problems.push(e.message));
  try {
    await page.goto(base);
    // The connections that the client makes, to ask them what was heard.
    await page.evaluate(() => {
      window.connections = [];
      const Plain = RTCPeerConnection;
      window.RTCPeerConnection = function (...a) { const pc = new Plain(...a); window.connections.push(pc); return pc; };
      window.RTCPeerConnection.prototype = Plain.prototype;
      window.heard = 0;
      setInterval(async () => {
        for (const pc of window.connections) {
          (await pc.getStats()).forEach((s) => { if (s.type === "inbound-rtp") window.heard = Math.max(window.heard, s.packetsReceived); });
        }
      }, 100);
    });
    for (const script of client.scripts) await page.addScriptTag({ url: base + script });
    const run = `(async () => { const log = []; await Promise.race([(${client.run})(${JSON.stringify(o)}, log),
      new Promise((r) => setTimeout(() => { log.push("timeout"); r(); }, ${limit}))]); return { log, packets: window.heard }; })()`;
    Object.assign(seen, await page.evaluate(run));
  } catch (e) {
    seen.problems.push(e.message.split("\n")[0]);
  }
  await page.close();
  for (const step of ["logged in", "answered", "ended"]) if (!seen.log.includes(step)) seen.problems.push("not " + step);
  if (!(seen.packets > 20)) seen.problems.push("heard nothing");
  return seen;
}

const server = await pages();
const base = `http://127.0.0.1:${server.address().port}/`;
const report = {};
const browser = await chromium.launch({
  executablePath: o.chromium, headless: true,
  args: ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu", "--disable-dev-shm-usage", "--disable-features=WebRtcHideLocalIpsWithMdns", "--ignore-certificate-errors"],
});
for (const [name, client] of Object.entries(clients)) {
  if (!o.client || o.client === name) report[name] = await call(browser, base, client);
}
await browser.close();
server.close();
console.log(JSON.stringify(report, null, 2));
process.exitCode = Object.values(report).some((r) => r.problems.length > 0) ? 1 : 0;
