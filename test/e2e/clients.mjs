// Calls a running switch, and lets it call, with the clients that others wrote:
// Verto's own, vertojs, @signalwire/js, JsSIP and SIP.js, each in a real browser.
// Prints as JSON what they saw.
//
//   npm ci
//   node clients.mjs --ws ws://127.0.0.1:8081 --sip ws://127.0.0.1:8080/sip --login 1000 --password 1234 --number 9300
//
// Out: the number gives early media with a tone of --early Hz (0: none is waited
// for) until it hears the digit 5, then it answers and is an echo: the client must
// hear the first, send the digit, and hear its own tone of --tone Hz; then it holds,
// resumes and hangs up. In (--wait): the program writes "waiting" to standard error
// when the client can be called; the client answers and must hear itself.
//
// Options: --client jquery|vertojs|signalwire|jssip|sipjs (all), --domain D of the
// SIP clients, --chromium P. The exit status is 0 if all clients did all of it.

import { buildSync } from "esbuild";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ears, open, serve } from "./browser.mjs";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    ws: { ...text, default: "ws://127.0.0.1:8081" }, sip: { ...text, default: "ws://127.0.0.1:8080/sip" }, domain: { ...text, default: "127.0.0.1" },
    login: { ...text, default: "1000" }, password: { ...text, default: "1234" }, number: { ...text, default: "9196" },
    early: { ...text, default: "0" }, tone: { ...text, default: "440" }, client: text, wait: { type: "boolean", default: false },
    chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const here = dirname(fileURLToPath(import.meta.url));
const limit = 60000; // ms for one client's call
const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

// bundle is a library as one script with a global name.
function bundle(entry, name) {
  return buildSync({ entryPoints: [join(here, "node_modules", entry)], bundle: true, format: "iife", globalName: name, write: false }).outputFiles[0].text;
}
const scripts = (...list) => list.map((file) => readFileSync(join(here, "node_modules", file), "utf8")).join("\n;\n");

// Each client: its library, and a function that runs in the page, makes or takes one
// call and returns when that is over. step tells what happened: "ready" (logged in or
// registered), "early" and "talk" listen and return when they heard enough.
const clients = {
  jquery: {
    script: () => scripts("jquery/dist/jquery.js", "verto/src/jquery.jsonrpcclient.js", "verto/src/jquery.FSRTC.js", "verto/src/jquery.verto.js"),
    run: (o, step) => new Promise((done, failed) => {
      jQuery.toJSON = JSON.stringify;
      const params = { caller_id_name: "Test", caller_id_number: "1", useVideo: false, useStereo: false, useMic: "any" };
      let call = null;
      const verto = new jQuery.verto({
        login: o.login, passwd: o.password, socketUrl: o.ws, tag: "picture", ringFile: "", videoParams: {}, audioParams: o.audio,
        iceServers: false, deviceParams: { useMic: "any", useSpeak: "any" },
      }, {
        onWSLogin: (_, ok) => {
          if (!ok) return failed(new Error("refused"));
          if (call || !step.once("ready")) return;
          if (!o.wait) call = verto.newCall({ destination_number: o.number, ...params });
        },
        onMessage: () => {}, onEvent: () => {},
        onDialogState: async (d) => {
          if (d.state.name === "ringing" && o.wait && step.once("rings")) d.answer(params);
          if (d.state.name === "early") step.early();
          if (d.state.name === "active" && step.once("answered")) {
            await step.talk();
            d.dtmf("7");
            d.hold();
            await step.wait(() => d.state.name === "held", "hold");
            d.unhold();
            await step.wait(() => d.state.name === "active", "resume");
            await step.talk();
            d.hangup();
          }
          if (d.state.name === "destroy" && step.once("ended")) done();
        },
      });
    }),
  },
  vertojs: {
    script: () => scripts("vertojs/dist/verto.js"),
    run: async (o, step) => {
      // Unless told otherwise vertojs asks for a pool of one candidate. With a pool, a busy
      // Chromium (148) now and then gathers no candidates for an answer at all, with any
      // far end: vertojs then answers without an address after 3 s, and nothing connects.
      const rtcConfig = { iceCandidatePoolSize: 0 };
      const verto = new Verto.Verto({ transportConfig: { socketUrl: o.ws, login: o.login, passwd: o.password }, rtcConfig });
      const stream = await navigator.mediaDevices.getUserMedia({ audio: o.audio });
      const invited = new Promise((r) => verto.subscribeEvent("invite", r));
      await verto.login();
      step.once("ready");
      const call = o.wait ? await invited : verto.call(stream.getTracks(), o.number, {});
      const ended = new Promise((r) => call.subscribeEvent("bye", r));
      if (o.wait) {
        step.once("rings");
        call.answer(stream.getTracks());
      } else {
        call.subscribeEvent("media", () => step.early());
        await new Promise((r) => call.subscribeEvent("answer", r));
      }
      step.once("answered");
      await step.talk();
      call.dtmf("7");
      call.hold();
      await step.silence();
      call.unhold();
      await step.talk();
      call.hangup();
      await ended;
      step.once("ended");
    },
  },
  signalwire: {
    script: () => scripts("@signalwire/js/dist/index.min.js"),
    run: (o, step) => new Promise((done, failed) => {
      const client = new Verto({ host: o.ws, login: o.login, password: o.password });
      client.remoteElement = "sound";
      client.disableWebcam();
      client.setAudioSettings(o.audio).catch(() => {});
      client.enableMicrophone();
      client.on("signalwire.ready", () => {
        if (step.once("ready") && !o.wait) client.newCall({ destinationNumber: o.number, audio: o.audio, video: false, callerName: "Test" });
      });
      client.on("signalwire.error", (e) => failed(new Error(JSON.stringify(e))));
      client.on("signalwire.notification", async (n) => {
        if (!n.call) return;
        const call = n.call;
        if (call.state === "ringing" && o.wait && step.once("rings")) call.answer({ audio: o.audio, video: false });
        if (call.state === "early") step.early();
        if (call.state === "active" && step.once("answered")) {
          await step.talk();
          call.dtmf("7");
          await call.hold();
          await step.silence();
          await call.unhold();
          await step.talk();
          call.hangup();
        }
        if (call.state === "destroy" && step.once("ended")) done();
      });
      client.connect();
    }),
  },
  jssip: {
    script: () => bundle("jssip/lib/JsSIP.js", "JsSIP"),
    run: (o, step) => new Promise((done, failed) => {
      const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(o.sip)], uri: `sip:${o.login}@${o.domain}`, password: o.password });
      const media = { mediaConstraints: { audio: o.audio, video: false }, pcConfig: { iceServers: [] } };
      ua.on("registered", () => {
        if (step.once("ready") && !o.wait) ua.call(`sip:${o.number}@${o.domain}`, media);
      });
      ua.on("registrationFailed", (e) => failed(new Error("refused " + e.cause)));
      ua.on("newRTCSession", ({ session }) => {
        if (session.direction === "incoming" && step.once("rings")) session.answer(media);
        session.on("progress", (e) => { if (e.response && e.response.body) step.early(); });
        session.on("failed", (e) => failed(new Error("failed " + e.cause)));
        session.on("ended", () => { step.once("ended"); ua.stop(); done(); });
        session.on("confirmed", async () => {
          if (!step.once("answered")) return;
          await step.talk();
          session.sendDTMF("7");
          session.sendDTMF("8", { transportType: "RFC2833" });
          session.hold({}, () => session.unhold({}, async () => { await step.talk(); session.terminate(); }));
        });
      });
      ua.start();
    }),
  },
  sipjs: {
    script: () => bundle("sip.js/lib/index.js", "SIP"),
    run: async (o, step) => {
      const agent = new SIP.UserAgent({
        uri: SIP.UserAgent.makeURI(`sip:${o.login}@${o.domain}`), authorizationUsername: o.login, authorizationPassword: o.password,
        transportOptions: { server: o.sip }, logLevel: "error",
        sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
      });
      const audio = { sessionDescriptionHandlerOptions: { constraints: { audio: o.audio, video: false } }, earlyMedia: true };
      let arrived;
      const invitation = new Promise((r) => { arrived = r; });
      agent.delegate = { onInvite: arrived };
      await agent.start();
      const registerer = new SIP.Registerer(agent);
      const registered = new Promise((r) => registerer.stateChange.addListener((s) => s === "Registered" && r()));
      await registerer.register();
      await registered;
      step.once("ready");
      const session = o.wait ? await invitation : new SIP.Inviter(agent, SIP.UserAgent.makeURI(`sip:${o.number}@${o.domain}`), audio);
      if (o.wait) step.once("rings");
      const state = (name) => new Promise((r) => session.stateChange.addListener((s) => s === name && r()));
      const up = state("Established"), down = state("Terminated");
      await (o.wait ? session.accept(audio) : session.invite({ requestDelegate: { onProgress: (r) => { if (r.message.body) step.early(); } } }));
      await Promise.race([up, down]);
      if (session.state !== "Established") throw new Error("failed");
      step.once("answered");
      const handler = session.sessionDescriptionHandler;
      await step.talk();
      handler.sendDtmf("8");
      await session.info({ requestOptions: { body: { contentDisposition: "render", contentType: "application/dtmf-relay", content: "Signal=7\r\nDuration=160" } } });
      for (const hold of [true, false]) {
        session.sessionDescriptionHandlerOptionsReInvite = { hold };
        await new Promise((done, failed) => session.invite({ requestDelegate: { onAccept: done, onReject: () => failed(new Error("re-INVITE refused")) } }));
      }
      await step.talk();
      await session.bye();
      await down;
      step.once("ended");
      await registerer.unregister();
      await agent.stop();
    },
  },
};

// steps runs in the page: what the clients above are given as step. log gets every
// step, in order.
function steps(o, log) {
  const seen = new Set();
  let early = null;
  const step = {
    once(name) {
      if (seen.has(name)) return false;
      seen.add(name);
      log.push(name);
      if (name === "ready" && o.wait) window.waiting();
      return true;
    },
    // early hears the tone of the early media and presses the key that it waits for.
    early() {
      if (!(Number(o.early) > 0) || early) return;
      early = (async () => {
        const pc = await step.connected();
        log.push({ early: await window.ears.tone(window.ears.stream(pc), Number(o.early)) });
        pc.getSenders().find((s) => s.dtmf).dtmf.insertDTMF("5", 160, 60);
      })();
      early.catch((e) => log.push({ problem: e.message }));
    },
    async talk() {
      const pc = await step.connected();
      log.push({ talk: await window.ears.tone(window.ears.stream(pc), Number(o.tone)) });
    },
    // connected waits until packets can flow, and gives the connection.
    async connected() {
      const pc = window.ears.latest;
      await step.wait(() => pc.connectionState === "connected", "connection");
      return pc;
    },
    async silence() {
      log.push({ silence: await window.ears.silence(window.ears.stream(window.ears.latest)) });
    },
    async wait(fn, what) {
      for (let n = 0; !fn(); n++) {
        if (n > 400) throw new Error("no " + what);
        await new Promise((r) => setTimeout(r, 50));
      }
    },
  };
  return step;
}

async function call(browser, base, name, client) {
  const page = await browser.newPage();
  const seen = { log: [], problems: [] };
  page.on("pageerror", (e) => seen.problems.push(e.message));
  if (process.env.DEBUG) page.on("console", (m) => console.error(m.text()));
  try {
    await page.addInitScript(ears);
    await page.exposeFunction("waiting", () => console.error("waiting " + name));
    await page.goto(base);
    await page.addScriptTag({ content: client.script() });
    const run = `(async () => { const log = []; const o = ${JSON.stringify({ ...o, audio })};
      const step = (${steps})(o, log);
      await Promise.race([(${client.run})(o, step), new Promise((r) => setTimeout(r, ${limit}))]).catch((e) => log.push({ problem: String(e && e.message || e) }));
      return log; })()`;
    seen.log = await page.evaluate(run);
  } catch (e) {
    seen.problems.push(e.message.split("\n")[0]);
  }
  await page.close();
  const want = ["ready", ...(o.wait ? ["rings"] : []), "answered", "ended"];
  for (const s of want) if (!seen.log.includes(s)) seen.problems.push("not " + s);
  for (const s of seen.log) if (s.problem) seen.problems.push(s.problem);
  if (seen.log.filter((s) => s.talk).length < 2) seen.problems.push("did not hear itself twice");
  if (!o.wait && Number(o.early) > 0) {
    const at = seen.log.findIndex((s) => s.early);
    if (at < 0 || at > seen.log.indexOf("answered")) seen.problems.push("no early media before the answer");
  }
  return seen;
}

const server = await serve('<audio id="sound" autoplay></audio><video id="picture" autoplay></video>');
const report = {};
const { browser, close } = await open({ chromium: o.chromium, tone: o.tone });
for (const [name, client] of Object.entries(clients)) {
  if (!o.client || o.client === name) report[name] = await call(browser, server.url, name, client);
}
await close();
server.close();
console.log(JSON.stringify(report, null, 2));
process.exitCode = Object.values(report).some((r) => r.problems.length > 0) ? 1 : 0;
