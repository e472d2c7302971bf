// The page for those who run the switch: live calls, history, log, events and
// scripts. It reads JSON below switch/ with the password of the event socket,
// which stays in this tab: closing it signs out.

const $ = (id) => document.getElementById(id);
const refreshEvery = 2000; // ms
const mostLines = 500; // shown of a stream
const retryAfter = 2000; // ms until a stream that broke is followed again

const views = ["calls", "history", "log", "events", "scripts"];
let password = "";
let view = "";
let timer = 0;
let stream = null; // AbortController of what is followed

const say = (text) => { $("state").textContent = text; };

// fetch with the password; a refusal signs out.
async function ask(path, options = {}) {
  const answer = await fetch("switch/" + path, { ...options, headers: { Authorization: "Bearer " + password } });
  if (answer.status === 401 || answer.status === 403 || answer.status === 429) {
    const text = (await answer.text()).trim();
    signOut("Refused: " + text);
    throw new Error(text);
  }
  if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
  return answer;
}

const read = async (path) => (await ask(path)).json();

async function signIn() {
  password = $("password").value;
  await read("calls");
  $("password").value = "";
  $("signin-form").hidden = true;
  $("switch").hidden = false;
  say("Signed in");
  show(views.includes(location.hash.slice(1)) ? location.hash.slice(1) : "calls");
}

function signOut(text) {
  stop();
  password = "";
  view = "";
  $("signin-form").hidden = false;
  $("switch").hidden = true;
  for (const id of ["calls-list", "history-rows", "log-lines", "event-lines", "scripts-running", "scripts-failed"]) $(id).replaceChildren();
  say(text);
}

function stop() {
  clearTimeout(timer);
  if (stream) stream.abort();
  stream = null;
}

// show turns to a view and keeps it fresh.
function show(name) {
  stop();
  view = name;
  history.replaceState(null, "", "#" + name);
  for (const v of views) {
    $("view-" + v).hidden = v !== name;
    $("tab-" + v).setAttribute("aria-selected", v === name);
    $("tab-" + v).tabIndex = v === name ? 0 : -1;
  }
  if (name === "calls") repeat(showCalls);
  if (name === "scripts") repeat(showScripts);
  if (name === "history") guarded(() => showHistory(true))();
  if (name === "log") follow("log?level=" + $("log-level").value, $("log-lines"), logLine);
  if (name === "events") follow("events?names=" + encodeURIComponent($("event-names").value.trim().replace(/\s+/g, ",")), $("event-lines"), eventLine);
}

// repeat does work now and again while its view is shown.
async function repeat(work) {
  const shown = view;
  try {
    await work();
    if (view === shown) say("Signed in");
  } catch (e) {
    if (view === shown) say("Error: " + e.message);
  }
  if (view === shown) timer = setTimeout(() => repeat(work), refreshEvery);
}

// follow shows a stream of JSON lines, newest first, until another view is shown.
async function follow(path, list, line) {
  const control = new AbortController();
  stream = control;
  list.replaceChildren();
  try {
    const answer = await ask(path, { signal: control.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const text of lines) if (text) list.prepend(line(JSON.parse(text)));
      while (list.children.length > mostLines) list.lastChild.remove();
    }
    throw new Error("the switch has gone");
  } catch (e) {
    if (control.signal.aborted || !view) return;
    say("Error: " + e.message);
    timer = setTimeout(() => { if (stream === control) show(view); }, retryAfter);
  }
}

function element(name, text, kind) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (kind) e.className = kind;
  return e;
}

const time = (ms) => new Date(ms).toLocaleTimeString();
const lasted = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
const who = (name, number) => (name && name !== number ? `${name} (${number})` : number || "unknown");

// Calls

// parts of the list stay as they are while a call lives, so that what is opened
// stays open.
async function showCalls() {
  const { total, legs } = await read("calls");
  $("calls-count").textContent = total === 0 ? "No calls" : total === legs.length ? `Legs: ${total}` : `Legs: ${total}, the newest ${legs.length} shown`;
  const old = new Map([...$("calls-list").children].map((e) => [e.dataset.uuid, e]));
  $("calls-list").replaceChildren(...legs.map((l) => showLeg(l, old.get(l.uuid))));
}

function showLeg(l, box) {
  if (!box) {
    box = element("article", undefined, "leg");
    box.dataset.uuid = l.uuid;
    const details = element("details");
    details.append(element("summary", "Sound"), element("pre"));
    box.append(element("h3"), element("p", undefined, "facts"), element("div"), details);
  }
  const [title, facts, troubles, details] = box.children;
  title.textContent = l.direction === "inbound" ? `${who(l.callerName, l.caller)} to ${l.destination}` : `to ${l.destination}, from ${who(l.callerName, l.caller)}`;
  const list = [l.name, l.callState.toLowerCase()];
  if (l.answered) list.push("up for " + lasted((Date.now() - l.answered) / 1000));
  if (l.application) list.push(`${l.application} ${l.data}`.trim());
  if (l.partner) list.push("bridged");
  if (l.read) list.push(l.read === l.write ? l.read : `${l.read} / ${l.write}`);
  if (l.mos) list.push(`MOS ${l.mos.toFixed(2)}, loss ${l.loss.toFixed(1)} %, jitter ${l.jitter.toFixed(1)} ms`);
  facts.textContent = list.join(" · ");
  troubles.replaceChildren(...l.troubles.map((t) => element("p", t, "trouble")));
  details.lastChild.textContent = l.chain;
  return box;
}

// History

let oldest = 0; // end of the last row shown, µs

async function showHistory(fresh) {
  const { rows } = await read("history?limit=50" + (fresh ? "" : "&before=" + oldest));
  if (fresh) $("history-rows").replaceChildren();
  for (const r of rows) {
    const row = element("tr");
    row.append(...[
      new Date(r.start / 1000).toLocaleString(), who(r.callerName, r.caller), r.destination, r.channel, r.answer ? lasted(r.billedMs / 1000) : "not answered",
      r.cause, r.readCodec, r.mos ? r.mos.toFixed(2) : "",
    ].map((text) => element("td", text)));
    $("history-rows").append(row);
    oldest = r.end;
  }
  $("history-more").disabled = rows.length === 0;
}

// Log, events, scripts

function logLine(l) {
  if (l.lost) return element("li", `${l.lost} lines were lost: this page reads too slowly`);
  return element("li", `${time(l.time)} ${l.level} ${l.file || ""} ${l.text}`);
}

function eventLine(e) {
  if (e.lost) return element("li", `${e.lost} events were lost: this page reads too slowly`);
  const item = element("li");
  const details = element("details");
  const name = e["Event-Subclass"] || e["Event-Name"];
  const about = [e["Channel-Name"], e.Application, e["Application-Data"], e["DTMF-Digit"], e["Hangup-Cause"]].filter(Boolean);
  details.append(element("summary", [time(Number(e["Event-Date-Timestamp"]) / 1000), name, ...about].join(" ")));
  details.addEventListener("toggle", () => {
    if (details.children.length > 1) return;
    details.append(element("pre", Object.entries(e).map(([k, v]) => `${k}: ${v}`).join("\n")));
  });
  item.append(details);
  return item;
}

async function showScripts() {
  const { running, failures } = await read("scripts");
  const none = (text) => [element("li", text)];
  $("scripts-running").replaceChildren(...(running.length ? running.map((r) => element("li",
    `${r.script}, since ${new Date(r.began).toLocaleTimeString()}${r.uuid ? ", call " + r.uuid : ""}, ${r.waits ? "waits" : "computes"}`)) : none("None")));
  $("scripts-failed").replaceChildren(...(failures.length ? failures.map((f) => {
    const item = element("li");
    item.append(element("p", `${new Date(f.time).toLocaleString()} ${f.script}${f.uuid ? ", call " + f.uuid : ""}`),
      element("pre", [f.message, f.traceback, ...(f.values || []).map((v) => `${v.name} = ${v.value}`)].filter(Boolean).join("\n")));
    return item;
  }) : none("None")));
}

// Page

const guarded = (work) => async (event) => {
  if (event && event.preventDefault) event.preventDefault();
  try {
    await work(event);
  } catch (e) {
    if (!$("state").textContent.startsWith("Refused")) say("Error: " + e.message);
  }
};

$("signin-form").addEventListener("submit", guarded(signIn));
$("signout").addEventListener("click", () => signOut("Not signed in"));
$("history-more").addEventListener("click", guarded(() => showHistory(false)));
$("log-level").addEventListener("change", () => show("log"));
$("event-names").addEventListener("change", () => show("events"));
for (const v of views) $("tab-" + v).addEventListener("click", () => show(v));
document.querySelector("[role=tablist]").addEventListener("keydown", (e) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
  if (!step) return;
  const next = views[(views.indexOf(view) + step + views.length) % views.length];
  show(next);
  $("tab-" + next).focus();
});
