// Chromium as the programs beside it use it: a fake microphone that hears a tone,
// a server for empty pages, and ears for the sound that comes in.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

// open starts Chromium. tone is what its microphone hears in Hz, 0 for silence,
// null for its own beeps; vol its level as sox has it. Its close ends all.
export async function open({ chromium: path = "/usr/bin/chromium", tone = 440, vol = 0.5, loopback = false, microphone = true } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "switchlet-e2e-"));
  const args = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--disable-dev-shm-usage", "--ignore-certificate-errors"];
  // Without leave to use a microphone, Chromium names its addresses by mDNS only.
  if (microphone) args.push("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns");
  if (loopback) args.push("--allow-loopback-in-peer-connection");
  if (microphone && tone !== null) {
    const file = join(folder, "tone.wav");
    const what = Number(tone) > 0 ? ["synth", "60", "sine", String(tone), "vol", String(vol)] : ["trim", "0", "60"];
    execFileSync("sox", ["-n", "-r", "48000", "-c", "1", "-b", "16", file, ...what]);
    args.push("--use-file-for-fake-audio-capture=" + file);
  }
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const browser = await chromium.launch({ executablePath: path, headless: true, args });
    return { browser, close: async () => { await browser.close(); remove(); } };
  } catch (e) {
    remove();
    throw e;
  }
}

// serve serves one page on any free port; its close ends that.
export async function serve(body = "") {
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end('<!doctype html><link rel="icon" href="data:,">' + body);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

// ears is for a page's addInitScript: window.ears has the connections that the page
// makes, and measures what they receive.
export function ears() {
  const every = 100, limit = 40000; // ms
  const steady = 6; // readings in a row
  const connections = [];
  const Plain = RTCPeerConnection;
  window.RTCPeerConnection = function (...a) {
    const pc = new Plain(...a);
    connections.push(pc);
    return pc;
  };
  window.RTCPeerConnection.prototype = Plain.prototype;
  Object.setPrototypeOf(window.RTCPeerConnection, Plain);

  const stream = (pc) => new MediaStream(pc.getReceivers().map((r) => r.track).filter((t) => t.kind === "audio"));

  // listen calls fn with {hz, db} of what the stream has until it returns something.
  async function listen(of, fn) {
    const sound = new Audio();
    sound.srcObject = of;
    sound.muted = true;
    sound.play().catch(() => {});
    const context = new AudioContext({ sampleRate: 48000 });
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(of).connect(analyser);
    const wave = new Float32Array(analyser.fftSize), bins = new Float32Array(analyser.frequencyBinCount);
    try {
      for (;;) {
        await new Promise((r) => setTimeout(r, every));
        analyser.getFloatTimeDomainData(wave);
        analyser.getFloatFrequencyData(bins);
        const power = wave.reduce((sum, x) => sum + x * x, 0) / wave.length;
        let k = 2;
        for (let i = 2; i < bins.length - 1; i++) if (bins[i] > bins[k]) k = i;
        const [l, c, r] = [bins[k - 1], bins[k], bins[k + 1]];
        const shift = (l - r) / (2 * (l - 2 * c + r)) || 0;
        const done = fn({ hz: ((k + shift) * 48000) / 8192, db: power > 0 ? 10 * Math.log10(power) : -120, bins });
        if (done !== undefined) return done;
      }
    } finally {
      await context.close();
      sound.srcObject = null;
    }
  }

  const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const round = (x) => Number(x.toFixed(1));

  // until waits for readings in a row that fit, and gives their median.
  function until(of, what, fits) {
    const from = Date.now();
    let row = [], last;
    return listen(of, (heard) => {
      last = heard;
      row = fits(heard) ? [...row, heard] : [];
      if (row.length >= steady) return { hz: round(median(row.map((h) => h.hz))), db: round(median(row.map((h) => h.db))) };
      if (Date.now() - from > limit) throw new Error(`no ${what}; last ${round(last.hz)} Hz at ${round(last.db)} dBFS`);
    });
  }

  // strong says whether a tone is there among others: 20 dB over what is around it.
  const strong = (bins, hz) => {
    const at = Math.round((hz * 8192) / 48000), near = [...bins.slice(at - 60, at + 61)];
    return Math.max(...bins.slice(at - 1, at + 2)) > median(near) + 20;
  };

  window.ears = {
    connections,
    get latest() { return connections[connections.length - 1]; },
    stream,
    tone: (of, hz) => until(of, `tone of ${hz} Hz`, (h) => Math.abs(h.hz - hz) <= 3 && h.db > -40),
    // all gives every reading of so many seconds from the first sound on, five a second.
    all: (of, seconds) => {
      const list = [], from = Date.now();
      let n = 0;
      return listen(of, ({ hz, db }) => {
        if (n === 0 && db < -50 && Date.now() - from < limit) return undefined;
        if (n++ % 2 === 0) list.push({ hz, db });
        return n >= seconds * 10 ? list : undefined;
      });
    },
    anything: (of) => until(of, "sound", (h) => h.db > -50),
    tones: (of, list) => until(of, `mix of ${list.join(" and ")} Hz`, (h) => h.db > -50 && list.every((hz) => strong(h.bins, hz))),
    silence: (of) => until(of, "silence", (h) => h.db < -60),
  };
}
