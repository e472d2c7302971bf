// Joins a conference of a running switch from a real browser and follows its
// LiveArray: prints as JSON every change of the rows.
//
//   npm ci
//   node conference.mjs --ws ws://127.0.0.1:8081 --login 1000 --password 1234 --number 3001 --members 3
//
// It writes "joined" to standard error, waits until --members members are in the
// room (others bring them in) and what they say is heard (--expect-hz A,B), and hangs
// up. Its own microphone hears --hz (440). Options: --chromium P. The exit status is 0
// if the rows came, in order and without a gap; else 1, and "problems" says why.

import { parseArgs } from "node:util";
import { ears, open, serve } from "./browser.mjs";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    ws: { ...text, default: "ws://127.0.0.1:8081" }, login: { ...text, default: "1000" }, password: { ...text, default: "1234" },
    number: { ...text, default: "3001" }, members: { ...text, default: "1" },
    hz: { ...text, default: "440" }, "expect-hz": text, chromium: { ...text, default: "/usr/bin/chromium" },
  },
});

const limit = 60000; // ms for the whole

// follow runs in the page.
async function follow(o) {
  const seen = { changes: [], rows: [], problems: [] };
  const ws = new WebSocket(o.ws);
  await new Promise((open, failed) => { ws.onopen = open; ws.onerror = () => failed(new Error("no socket")); });
  let serial = 0, la = null, order = null;
  const rows = new Map(), waiting = new Map(), wants = [];
  const request = (method, params) => new Promise((done, failed) => {
    const id = ++serial;
    waiting.set(id, { done, failed });
    ws.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: { sessid, ...params } }));
  });
  const until = (fits) => new Promise((done) => { if (fits()) done(); else wants.push({ fits, done }); });
  const bootstrap = () => request("verto.broadcast", { eventChannel: la.laChannel,
    data: { liveArray: { command: "bootstrap", context: la.laChannel, name: la.laName, obj: {} } } });
  const apply = (d) => {
    if (d.action === "bootObj") {
      rows.clear();
      for (const [key, row] of d.data) rows.set(key, row);
    } else {
      if (order !== null && d.wireSerno > 0 && d.wireSerno !== order + 1) seen.problems.push(`serial ${d.wireSerno} after ${order}`);
      if (d.action === "add" || d.action === "modify") rows.set(d.hashKey, d.data);
      if (d.action === "del") rows.delete(d.hashKey);
    }
    if (d.wireSerno > 0) order = d.wireSerno;
    seen.changes.push(d.action);
  };
  const sessid = crypto.randomUUID(), callID = crypto.randomUUID();
  const pc = new RTCPeerConnection({ iceServers: [] });
  ws.onmessage = async ({ data }) => {
    const m = JSON.parse(data), p = m.params || {};
    if (!m.method) {
      const w = waiting.get(m.id);
      if (w) m.error ? w.failed(new Error(m.error.message)) : w.done(m.result);
    } else if (m.method === "verto.media" || m.method === "verto.answer") {
      if (p.sdp) await pc.setRemoteDescription({ type: "answer", sdp: p.sdp });
    } else if (p.pvtData && p.pvtData.action === "conference-liveArray-join") {
      la = p.pvtData;
      await request("verto.subscribe", { eventChannel: [la.laChannel, la.chatChannel] });
      await bootstrap();
    } else if (la && p.eventChannel === la.laChannel && p.data) {
      apply(p.data);
    }
    for (let i = wants.length - 1; i >= 0; i--) if (wants[i].fits()) wants.splice(i, 1)[0].done();
  };
  await request("login", { login: o.login, passwd: o.password });
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  for (const track of stream.getTracks()) pc.addTrack(track, stream);
  await pc.setLocalDescription(await pc.createOffer());
  await new Promise((done) => { pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && done(); });
  const dialogParams = { callID, destination_number: o.number, caller_id_name: "Page", caller_id_number: o.login };
  await request("verto.invite", { sdp: pc.localDescription.sdp, dialogParams });
  await until(() => rows.has(callID));
  window.joined();
  await until(() => rows.size >= Number(o.members));
  if (o["expect-hz"]) seen.heard = await window.ears.tones(window.ears.stream(pc), o["expect-hz"].split(",").map(Number));
  seen.rows = [...rows.values()];
  if (!rows.has(callID)) seen.problems.push("no row for the page itself");
  await request("verto.bye", { dialogParams });
  ws.close();
  return seen;
}

const server = await serve();
const { browser, close } = await open({ chromium: o.chromium, tone: o.hz });
let timer;
let report = { changes: [], rows: [], problems: [] };
try {
  const page = await browser.newPage();
  await page.addInitScript(ears);
  await page.exposeFunction("joined", () => console.error("joined"));
  await page.goto(server.url);
  report = await Promise.race([page.evaluate(follow, o),
    new Promise((_, failed) => { timer = setTimeout(() => failed(new Error(`not ${o.members} members in time`)), limit); })]);
} catch (e) {
  report.problems.push(e.message.split("\n")[0]);
}
clearTimeout(timer);
await close();
server.close();
console.log(JSON.stringify(report, null, 2));
process.exitCode = report.problems.length > 0 ? 1 : 0;
