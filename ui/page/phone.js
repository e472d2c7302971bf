// The phone: one call at a time over a Verto session, and the page around it. While
// one asks somebody else before a transfer, a second call waits on hold.

import { showCertificate } from "./certificate.js";
import { History } from "./history.js";
import { Level } from "./level.js";
import { quality } from "./quality.js";
import { Ringer } from "./ringer.js";
import { Session, uuid } from "./verto.js";

const $ = (id) => document.getElementById(id);
const gatherLimit = 1000; // ms to wait for ICE candidates
const statsEvery = 2000; // ms
const ended = "Call ended";

// What tests may look at and change: audio are the constraints of the
// microphone, pc the connection of the call.
const switchlet = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  get pc() { return call ? call.pc : null; },
  get callID() { return call ? call.id : null; },
  get state() { return $("state").textContent; },
};
window.switchlet = switchlet;

let session = null;
let call = null; // {id, number, name, inbound, offer, pc, stream, heard, state, placed, held, muted, prompt, before, timer}
let waiting = null; // the call on hold that is to be transferred to the other, if there is one
let joining = false; // the two are being connected with each other: both end
let signedIn = "";
const ringer = new Ringer();

const history = new History($("history-list"), $("history-clear"), (number) => {
  if (session && !call) guarded(() => dial(number))();
});
const levelOut = new Level($("level-out"));
const levelIn = new Level($("level-in"));

function say(text) {
  $("state").textContent = text;
}

// show puts the state of call and session on the page.
function show() {
  const busy = call !== null;
  const ringing = busy && call.state === "incoming";
  const active = busy && call.state === "active";
  const focused = document.activeElement;
  $("signin-form").hidden = session !== null;
  $("phone").hidden = session === null;
  $("incoming").hidden = !ringing;
  $("prompt").hidden = !busy || ringing || !call.prompt;
  $("call").disabled = busy;
  $("hangup").disabled = !busy || ringing;
  $("hold").disabled = !active;
  for (const id of ["transfer", "ask", "transfer-to"]) $(id).disabled = !active || waiting !== null;
  $("consult").hidden = waiting === null;
  $("complete").disabled = !waiting || !(active || (busy && call.placed));
  if (waiting) $("consult-text").textContent = "On hold: " + party(waiting.name, waiting.number);
  $("mute").disabled = !active || !call.stream;
  $("hold").setAttribute("aria-pressed", String(active && call.held));
  $("mute").setAttribute("aria-pressed", String(active && call.muted));
  if (!busy) $("quality").textContent = "";
  // What can no longer be used does not keep the keyboard's focus.
  if (focused && (focused.disabled || !focused.checkVisibility())) $(!session ? "login" : busy && !ringing ? "hangup" : "number").focus();
}

function party(name, number) {
  if (name && number && name !== number) return `${name} (${number})`;
  return name || number || "unknown";
}

// Session

function signIn(login, password) {
  let sessid = sessionStorage.getItem("sessid");
  if (!sessid) {
    sessid = uuid();
    sessionStorage.setItem("sessid", sessid);
  }
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const s = new Session(`${scheme}//${location.host}/verto`, login, password, sessid);
  session = s;
  $("signin").disabled = true;
  s.onstate = (state, error) => sessionState(s, login, state, error);
  s.onrequest = (method, params) => fromServer(method, params).catch((e) => say("Error: " + e.message));
  s.onready = (ids) => {
    // A call that the server did not keep is over.
    if (waiting && waiting.reattach && !ids.includes(waiting.id)) forget();
    if (call && call.reattach && !ids.includes(call.id)) finish("Call lost");
  };
  say("Signing in");
  s.connect();
}

function sessionState(s, login, state, error) {
  if (s !== session) return;
  switch (state) {
    case "ready":
      signedIn = login;
      localStorage.setItem("login", login);
      $("password").value = "";
      $("signin").disabled = false;
      if (!call) say("Ready as " + login);
      show();
      history.of(login);
      listDevices();
      $("number").focus();
      break;
    case "lost":
      if (call && call.state !== "active") finish("Call lost");
      for (const c of [call, waiting]) if (c) c.reattach = true;
      say(call ? "Connection lost, call is kept" : "Connection lost, trying again");
      break;
    case "punted":
      signOut("Signed in elsewhere");
      break;
    case "refused":
      signOut("Sign-in failed: " + error.message);
      break;
  }
}

function signOut(text) {
  const s = session;
  session = null;
  signedIn = "";
  forget();
  finish("");
  if (s) s.close();
  $("signin").disabled = false;
  say(text);
  show();
}

// Calls

async function openMicrophone() {
  const id = $("microphone").value;
  const audio = { ...switchlet.audio };
  if (id) audio.deviceId = { exact: id };
  if (!navigator.mediaDevices) return null;
  try {
    return await navigator.mediaDevices.getUserMedia({ audio, video: false });
  } catch (e) {
    // Without a microphone, or without leave to use it, one can still listen.
    if (["NotFoundError", "NotAllowedError", "NotReadableError"].includes(e.name)) return null;
    throw e;
  }
}

const stopTracks = (stream) => { if (stream) stream.getTracks().forEach((t) => t.stop()); };

const live = (c) => c !== null && (c === call || c === waiting);

// listenTo plays and measures one call, or nothing.
function listenTo(c) {
  $("sound").srcObject = (c && c.heard) || null;
  levelIn.of(c && c.heard);
  levelOut.of(c && c.stream);
}

async function connection(c) {
  const stream = await openMicrophone();
  if (!live(c)) {
    stopTracks(stream);
    throw new Error("call ended");
  }
  if (c.pc) c.pc.close();
  stopTracks(c.stream);
  const pc = new RTCPeerConnection({ iceServers: session.iceServers, bundlePolicy: "max-bundle" });
  c.stream = stream;
  c.pc = pc;
  for (const track of stream ? stream.getAudioTracks() : []) {
    track.enabled = !c.muted;
    pc.addTrack(track, stream);
  }
  if (!stream && !c.offer) pc.addTransceiver("audio", { direction: "recvonly" });
  c.heard = null;
  if (c === call) listenTo(c);
  pc.ontrack = (e) => {
    c.heard = e.streams[0] || new MediaStream([e.track]);
    if (c === call && pc === c.pc) listenTo(c);
  };
  pc.oniceconnectionstatechange = () => {
    if (c === call && pc === c.pc && pc.iceConnectionState === "failed") say("No sound: the network does not let it through");
  };
  return pc;
}

// gathered resolves when all candidates are known, or after a while.
function gathered(pc) {
  return new Promise((resolve) => {
    if (pc.iceGatheringState === "complete") return resolve();
    const timer = setTimeout(resolve, gatherLimit);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete") {
        clearTimeout(timer);
        resolve();
      }
    });
  });
}

function dialogParams(c) {
  return {
    callID: c.id, destination_number: c.inbound ? signedIn : c.number, caller_id_name: signedIn, caller_id_number: signedIn,
    remote_caller_id_name: c.inbound ? c.name : "Outbound Call", remote_caller_id_number: c.number, useVideo: false, useStereo: false,
    audio: switchlet.audio,
  };
}

async function dial(number) {
  const c = { id: uuid(), number, name: "", inbound: false, state: "calling", held: false, muted: false, begun: Date.now(), answered: 0 };
  call = c;
  say("Calling " + number);
  show();
  try {
    const pc = await connection(c);
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    if (c !== call) return;
    await session.request("verto.invite", { sdp: pc.localDescription.sdp, dialogParams: dialogParams(c) });
    c.placed = true;
    show();
  } catch (e) {
    if (c === call) finish("Call failed: " + e.message);
  }
}

async function accept() {
  const c = call;
  ringer.stop();
  c.state = "calling";
  say("Answering");
  show();
  try {
    await answerOffer(c, "verto.answer");
    activate(c);
  } catch (e) {
    bye(c, "INCOMPATIBLE_DESTINATION");
    if (c === call) finish("Call failed: " + e.message);
  }
}

// answerOffer answers the server's description with one of ours.
async function answerOffer(c, method) {
  const pc = await connection(c);
  await pc.setRemoteDescription({ type: "offer", sdp: c.offer });
  await pc.setLocalDescription(await pc.createAnswer());
  await gathered(pc);
  await session.request(method, { sdp: pc.localDescription.sdp, dialogParams: dialogParams(c) });
}

// inCall says whom one talks to, or hears.
function inCall(c) {
  if (c.held) return "On hold: " + party(c.name, c.number);
  return "In call with " + party(c.name, c.number) + (c.stream ? "" : ", listening only: no microphone");
}

function activate(c) {
  if (!live(c)) return;
  c.state = "active";
  c.answered = c.answered || Date.now();
  if (c === call) say(inCall(c));
  clearInterval(c.timer);
  c.timer = setInterval(() => showQuality(c), statsEvery);
  listDevices();
  show();
}

function bye(c, cause = "NORMAL_CLEARING") {
  session.request("verto.bye", { dialogParams: dialogParams(c), cause }).catch(() => {});
}

function hangUp(cause) {
  const c = call;
  if (!c) return;
  bye(c, cause);
  finish(ended);
}

// drop takes a call down on our side.
function drop(c) {
  clearInterval(c.timer);
  if (c.pc) c.pc.close();
  stopTracks(c.stream);
  history.add(c);
}

// finish takes the call down, and goes back to the one that waits.
function finish(text) {
  const c = call;
  if (!c) return;
  ringer.stop();
  drop(c);
  call = waiting;
  waiting = null;
  listenTo(call);
  if (call && !joining) guarded(() => goOn(text))();
  else if (text) say(text);
  show();
}

// forget takes the waiting call down.
function forget() {
  if (!waiting) return;
  drop(waiting);
  waiting = null;
  show();
}

// fromServer handles the server's requests.
async function fromServer(method, p) {
  if (method === "verto.invite") return incoming(p);
  if (method === "verto.attach") return attach(p);
  const c = [call, waiting].find((known) => known && known.id === p.callID);
  if (!c) return;
  switch (method) {
    case "verto.media":
      await c.pc.setRemoteDescription({ type: "answer", sdp: p.sdp });
      if (c === call) say("Ringing " + c.number);
      break;
    case "verto.answer":
      if (p.sdp) await c.pc.setRemoteDescription({ type: "answer", sdp: p.sdp });
      activate(c);
      break;
    case "verto.display":
      c.name = p.display_name || c.name;
      c.number = p.display_number || c.number;
      if (c === call && c.state === "active") say(inCall(c));
      show();
      break;
    case "verto.prompt":
      prompted(c, p);
      break;
    case "verto.mediaParams":
      if (c.stream && p.mediaParams.audio) for (const t of c.stream.getAudioTracks()) await t.applyConstraints(p.mediaParams.audio);
      break;
    case "verto.bye":
      if (c === waiting) {
        forget();
        if (!joining) say(`${party(c.name, c.number)} has hung up. ${call.state === "active" ? inCall(call) : "Calling " + call.number}`);
        break;
      }
      finish(p.cause && p.cause !== "NORMAL_CLEARING" ? `${ended}: ${p.cause}` : ended);
      break;
  }
}

function incoming(p) {
  if (call) {
    session.request("verto.bye", { dialogParams: { callID: p.callID }, cause: "USER_BUSY" }).catch(() => {});
    return;
  }
  call = {
    id: p.callID, number: p.caller_id_number || "", name: p.caller_id_name || "", inbound: true, offer: p.sdp,
    state: "incoming", held: false, muted: false, begun: Date.now(), answered: 0,
  };
  const text = "Call from " + party(call.name, call.number);
  $("incoming-text").textContent = text;
  say(text);
  show();
  ringer.start();
  $("answer").focus();
}

// attach takes up a call that the server kept while we were away.
async function attach(p) {
  let c = [call, waiting].find((known) => known && known.id === p.callID);
  if (!c) {
    const out = p.display_direction === "outbound";
    c = {
      id: p.callID, inbound: out, state: "calling", held: remembered().includes(p.callID), muted: false, begun: Date.now(), answered: 0,
      number: (out ? p.caller_id_number : p.callee_id_number) || "", name: (out ? p.caller_id_name : p.callee_id_name) || "",
    };
    if (call && waiting) return bye(c);
    // Of two, the one on hold waits.
    if (call && c.held) waiting = c;
    else [call, waiting] = [c, call];
  }
  c.reattach = false;
  c.offer = p.sdp;
  try {
    await answerOffer(c, "verto.attach");
    activate(c);
  } catch (e) {
    if (c === waiting) forget();
    if (c === call) finish("Call lost: " + e.message);
  }
}

// prompted shows what the switch wants to be entered: digits, or a text.
function prompted(c, { type, text, regex }) {
  c.prompt = type.toLowerCase();
  $("prompt-text").textContent = text;
  const field = $("prompt-answer");
  field.value = "";
  field.inputMode = c.prompt === "dtmf" ? "tel" : "text";
  field.pattern = regex || (c.prompt === "dtmf" ? "[0-9*#A-D]+" : ".*");
  show();
  if (c === call && !$("prompt").hidden) field.focus();
}

async function answerPrompt() {
  const c = call;
  const text = $("prompt-answer").value;
  if (!c || !c.prompt || !text) return;
  const what = c.prompt === "dtmf" ? { dtmf: text } : { msg: { to: c.number || signedIn, body: text, inDialog: true } };
  await session.request("verto.info", { ...what, dialogParams: dialogParams(c) });
  c.prompt = "";
  show();
}

async function press(digit) {
  if (!call || call.state === "incoming") {
    $("number").value += digit;
    return;
  }
  if (call.prompt === "dtmf") {
    call.prompt = "";
    show();
  }
  await session.request("verto.info", { dtmf: digit, dialogParams: dialogParams(call) });
}

// modify changes a running call; the reply tells whether it is on hold.
async function modify(c, action) {
  const r = await session.request("verto.modify", { action, dialogParams: dialogParams(c) });
  if (!live(c)) return;
  c.held = r.holdState === "held";
  c.paused = true;
  sessionStorage.setItem("held", JSON.stringify([call, waiting].filter((known) => known && known.held).map((known) => known.id)));
  if (c === call && c.state === "active") say(inCall(c));
  show();
}

// remembered are the calls that were on hold before the page was loaded again.
function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem("held") || "[]");
  } catch {
    return [];
  }
}

function toggleMute() {
  call.muted = !call.muted;
  if (call.stream) call.stream.getAudioTracks().forEach((t) => { t.enabled = !call.muted; });
  show();
}

async function transfer(to) {
  await session.request("verto.modify", { action: "transfer", destination: to, dialogParams: dialogParams(call) });
  $("transfer-to").value = "";
  say("Transferred to " + to);
}

// ask puts the call on hold and calls somebody else, to talk before the transfer.
async function ask(to) {
  const c = call;
  if (!c.held) await modify(c, "hold");
  if (c !== call || waiting) return;
  waiting = c;
  call = null;
  $("transfer-to").value = "";
  const asked = dial(to);
  $("back").focus();
  await asked;
}

// goOn takes up the call that waited; text says how the other ended.
async function goOn(text) {
  const c = call;
  await modify(c, "unhold");
  if (c === call && text && text !== ended) say(`${text}. ${inCall(c)}`);
}

// complete connects the waiting call with the one who was asked, and leaves both.
async function complete() {
  const [first, second] = [waiting, call];
  joining = true;
  try {
    await session.request("verto.modify", { action: "replace", replaceCallID: second.id, dialogParams: dialogParams(first) });
    forget();
    finish("");
    say(`Transferred ${party(first.name, first.number)} to ${party(second.name, second.number)}`);
  } finally {
    joining = false;
    show();
  }
}

// Sound

const speakers = "setSinkId" in HTMLMediaElement.prototype;

// listDevices offers the microphones and speakers that there are.
async function listDevices() {
  if (!navigator.mediaDevices) return;
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.deviceId && d.label);
  const outputs = devices.filter((d) => d.kind === "audiooutput");
  offer($("microphone"), devices.filter((d) => d.kind === "audioinput"));
  offer($("speaker"), outputs);
  $("speaker-row").hidden = !speakers || outputs.length === 0;
}

function offer(select, devices) {
  if (devices.length === 0) return;
  const chosen = select.value;
  select.replaceChildren(new Option("Default", ""), ...devices.map((d) => new Option(d.label, d.deviceId)));
  select.value = devices.some((d) => d.deviceId === chosen) ? chosen : "";
}

// changeMicrophone puts another microphone into the running call.
async function changeMicrophone() {
  const c = call;
  if (!c || !c.pc || !c.stream) return;
  const stream = await openMicrophone();
  if (!stream) throw new Error("this microphone cannot be used");
  if (c !== call) return stopTracks(stream);
  const track = stream.getAudioTracks()[0];
  track.enabled = !c.muted;
  await c.pc.getSenders().find((s) => s.track && s.track.kind === "audio").replaceTrack(track);
  stopTracks(c.stream);
  c.stream = stream;
  levelOut.of(stream);
}

async function showQuality(c) {
  if (!c.pc || c !== call) return;
  const text = await quality(c);
  if (text && c === call) $("quality").textContent = text;
}

// Page

const guarded = (work) => async (event) => {
  if (event && event.preventDefault) event.preventDefault();
  try {
    await work(event);
  } catch (e) {
    say("Error: " + e.message);
  }
};

$("signin-form").addEventListener("submit", guarded(() => signIn($("login").value.trim(), $("password").value)));
$("signout").addEventListener("click", guarded(() => {
  for (const c of [call, waiting]) if (c) bye(c);
  signOut("Not signed in");
}));
$("dial-form").addEventListener("submit", guarded(() => {
  const number = $("number").value.trim();
  if (number && session && !call) return dial(number);
}));
$("hangup").addEventListener("click", guarded(() => hangUp()));
$("prompt").addEventListener("submit", guarded(answerPrompt));
$("answer").addEventListener("click", guarded(accept));
$("reject").addEventListener("click", guarded(() => hangUp("CALL_REJECTED")));
$("hold").addEventListener("click", guarded(() => modify(call, "toggleHold")));
$("mute").addEventListener("click", guarded(toggleMute));
$("transfer-form").addEventListener("submit", guarded(() => {
  const to = $("transfer-to").value.trim();
  if (to && call) return transfer(to);
}));
$("ask").addEventListener("click", guarded(() => {
  const to = $("transfer-to").value.trim();
  if (to && call && !waiting) return ask(to);
  $("transfer-to").focus();
}));
$("complete").addEventListener("click", guarded(() => {
  if (waiting && call && !joining) return complete();
}));
$("back").addEventListener("click", guarded(() => {
  hangUp();
  $("transfer-to").focus();
}));
$("microphone").addEventListener("change", guarded(changeMicrophone));
$("speaker").addEventListener("change", guarded(() => $("sound").setSinkId($("speaker").value)));
for (const button of document.querySelectorAll("[data-digit]")) {
  button.addEventListener("click", guarded(() => press(button.dataset.digit)));
}
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, select")) return;
  if (/^[0-9*#]$/.test(e.key) && session) guarded(() => press(e.key))(e);
});
window.addEventListener("pagehide", () => {
  if (session) session.close();
});
if (navigator.mediaDevices) navigator.mediaDevices.addEventListener("devicechange", () => listDevices());

$("login").value = localStorage.getItem("login") || "";
show();
showCertificate($("certificate"), $("certificate-text"));
