// The phone: one call at a time over a Verto session, and the page around it.

import { showCertificate } from "./certificate.js";
import { History } from "./history.js";
import { Level } from "./level.js";
import { Session, uuid } from "./verto.js";

const $ = (id) => document.getElementById(id);
const gatherLimit = 1000; // ms to wait for ICE candidates
const statsEvery = 2000; // ms

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
let call = null; // {id, number, name, inbound, offer, pc, stream, state, held, muted, before, timer}
let signedIn = "";
let ringer = null;

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
  $("signin-form").hidden = session !== null;
  $("phone").hidden = session === null;
  $("incoming").hidden = !ringing;
  $("call").disabled = busy;
  $("hangup").disabled = !busy || ringing;
  for (const id of ["hold", "transfer", "transfer-to"]) $(id).disabled = !active;
  $("mute").disabled = !active || !call.stream;
  $("hold").setAttribute("aria-pressed", String(active && call.held));
  $("mute").setAttribute("aria-pressed", String(active && call.muted));
  if (!busy) $("quality").textContent = "";
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
    if (call && call.id && !ids.includes(call.id) && call.reattach) finish("Call lost");
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
      if (call) call.reattach = true;
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
  if (call) finish("");
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

async function connection(c) {
  const stream = await openMicrophone();
  if (c !== call) {
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
  levelOut.of(stream);
  pc.ontrack = (e) => {
    const heard = e.streams[0] || new MediaStream([e.track]);
    $("sound").srcObject = heard;
    levelIn.of(heard);
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
  } catch (e) {
    if (c === call) finish("Call failed: " + e.message);
  }
}

async function accept() {
  const c = call;
  stopRinging();
  c.state = "calling";
  say("Answering");
  show();
  try {
    await answerOffer(c, "verto.answer");
    activate(c);
  } catch (e) {
    session.request("verto.bye", { dialogParams: dialogParams(c), cause: "INCOMPATIBLE_DESTINATION" }).catch(() => {});
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
  if (c !== call) return;
  c.state = "active";
  c.answered = c.answered || Date.now();
  say(inCall(c));
  clearInterval(c.timer);
  c.timer = setInterval(() => showQuality(c), statsEvery);
  listDevices();
  show();
}

function hangUp(cause) {
  const c = call;
  if (!c) return;
  session.request("verto.bye", { dialogParams: dialogParams(c), cause: cause || "NORMAL_CLEARING" }).catch(() => {});
  finish("Call ended");
}

// finish takes the call down on our side.
function finish(text) {
  const c = call;
  if (!c) return;
  call = null;
  stopRinging();
  clearInterval(c.timer);
  if (c.pc) c.pc.close();
  stopTracks(c.stream);
  levelOut.stop();
  levelIn.stop();
  $("sound").srcObject = null;
  history.add(c);
  if (text) say(text);
  show();
}

// fromServer handles the server's requests.
async function fromServer(method, p) {
  if (method === "verto.invite") return incoming(p);
  if (method === "verto.attach") return attach(p);
  const c = call;
  if (!c || p.callID !== c.id) return;
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
      if (c.state === "active") say(inCall(c));
      break;
    case "verto.bye":
      finish(p.cause && p.cause !== "NORMAL_CLEARING" ? "Call ended: " + p.cause : "Call ended");
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
  startRinging();
  $("answer").focus();
}

// attach takes up a call that the server kept while we were away.
async function attach(p) {
  if (call && call.id !== p.callID) finish("");
  if (!call) {
    const out = p.display_direction === "outbound";
    call = {
      id: p.callID, inbound: out, state: "calling", held: false, muted: false, begun: Date.now(), answered: 0,
      number: (out ? p.caller_id_number : p.callee_id_number) || "", name: (out ? p.caller_id_name : p.callee_id_name) || "",
    };
  }
  const c = call;
  c.reattach = false;
  c.offer = p.sdp;
  try {
    await answerOffer(c, "verto.attach");
    activate(c);
  } catch (e) {
    if (c === call) finish("Call lost: " + e.message);
  }
}

async function press(digit) {
  if (!call || call.state === "incoming") {
    $("number").value += digit;
    return;
  }
  await session.request("verto.info", { dtmf: digit, dialogParams: dialogParams(call) });
}

async function toggleHold() {
  const c = call;
  const r = await session.request("verto.modify", { action: "toggleHold", dialogParams: dialogParams(c) });
  if (c !== call) return;
  c.held = r.holdState === "held";
  c.paused = true;
  say(inCall(c));
  show();
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
  const report = await c.pc.getStats();
  let inbound, pair, remote;
  report.forEach((s) => {
    if (s.type === "inbound-rtp" && s.kind === "audio") inbound = s;
    if (s.type === "candidate-pair" && s.nominated && s.state === "succeeded") pair = s;
    if (s.type === "remote-inbound-rtp") remote = s;
  });
  if (!inbound || c !== call) return;
  // Loss since the last time; what was not taken while on hold is no loss.
  const before = c.before || { received: 0, lost: 0 };
  const received = inbound.packetsReceived - before.received;
  const lost = c.paused ? 0 : Math.max(inbound.packetsLost - before.lost, 0);
  c.before = { received: inbound.packetsReceived, lost: inbound.packetsLost };
  c.paused = c.held;
  const codec = inbound.codecId && report.get(inbound.codecId);
  const parts = [];
  if (codec) parts.push(codec.mimeType.replace("audio/", ""));
  parts.push(`loss ${(received + lost ? (100 * lost) / (received + lost) : 0).toFixed(1)} %`);
  if (remote && remote.fractionLost !== undefined) parts.push(`sent loss ${(100 * remote.fractionLost).toFixed(1)} %`);
  if (pair && pair.currentRoundTripTime !== undefined) parts.push(`round trip ${Math.round(1000 * pair.currentRoundTripTime)} ms`);
  $("quality").textContent = parts.join(", ");
}

function startRinging() {
  stopRinging();
  const context = new AudioContext();
  const gain = context.createGain();
  gain.gain.value = 0;
  gain.connect(context.destination);
  const tone = context.createOscillator();
  tone.frequency.value = 440;
  tone.connect(gain);
  tone.start();
  const beat = () => {
    gain.gain.setValueAtTime(0.1, context.currentTime);
    gain.gain.setValueAtTime(0, context.currentTime + 1);
  };
  beat();
  ringer = { context, timer: setInterval(beat, 3000) };
}

function stopRinging() {
  if (!ringer) return;
  clearInterval(ringer.timer);
  ringer.context.close();
  ringer = null;
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
  if (call) hangUp();
  signOut("Not signed in");
}));
$("dial-form").addEventListener("submit", guarded(() => {
  const number = $("number").value.trim();
  if (number && session && !call) return dial(number);
}));
$("hangup").addEventListener("click", guarded(() => hangUp()));
$("answer").addEventListener("click", guarded(accept));
$("reject").addEventListener("click", guarded(() => hangUp("CALL_REJECTED")));
$("hold").addEventListener("click", guarded(toggleHold));
$("mute").addEventListener("click", guarded(toggleMute));
$("transfer-form").addEventListener("submit", guarded(() => {
  const to = $("transfer-to").value.trim();
  if (to && call) return transfer(to);
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
