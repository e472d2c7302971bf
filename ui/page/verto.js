// The Verto protocol as a client speaks it: JSON-RPC 2.0 over one WebSocket,
// requests in both directions. It knows of sessions and messages, not of sound.

const replyLimit = 15000; // ms to wait for a reply
const firstRetry = 1000; // ms until the first attempt to come back
const lastRetry = 15000;

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 15) | 64;
  b[8] = (b[8] & 63) | 128;
  const hex = [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// An error that the server answered.
export class VertoError extends Error {
  constructor(object) {
    super(object.cause || object.message || "refused");
    this.code = object.code;
    this.object = object;
  }
}

// A session with the server. It comes back by itself when the socket is lost,
// until it is closed, punted, or its password is refused.
//
// Handlers, set by the owner: onrequest(method, params), onready(callIDs),
// onstate("connecting" | "ready" | "lost" | "punted" | "refused", error).
export class Session {
  #socket = null;
  #next = 1;
  #waiting = new Map();
  #retry = firstRetry;
  #timer = 0;
  #open = true;

  constructor(url, login, password, sessid) {
    this.url = url;
    this.login = login;
    this.password = password;
    this.sessid = sessid;
    this.iceServers = []; // for RTCPeerConnection, as the server says
    this.onrequest = () => {};
    this.onready = () => {};
    this.onstate = () => {};
  }

  connect() {
    this.onstate("connecting");
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onopen = async () => {
      try {
        const result = await this.request("login", { login: this.login, passwd: this.password, loginParams: {}, userVariables: {} });
        this.iceServers = result.iceServers || [];
        this.#retry = firstRetry;
        this.onstate("ready");
      } catch (error) {
        if (error instanceof VertoError) {
          this.close();
          this.onstate("refused", error);
        }
      }
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#lost(socket);
  }

  close() {
    this.#open = false;
    clearTimeout(this.#timer);
    if (this.#socket) this.#socket.close();
  }

  // Sends a request; resolves to its result.
  request(method, params = {}) {
    return new Promise((resolve, reject) => {
      if (!this.#socket || this.#socket.readyState !== WebSocket.OPEN) {
        reject(new Error("not connected"));
        return;
      }
      const id = this.#next++;
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(method + ": no reply"));
      }, replyLimit);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#send({ jsonrpc: "2.0", method, params: { ...params, sessid: this.sessid }, id });
    });
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.method) {
      this.#send({ jsonrpc: "2.0", id: message.id, result: { method: message.method } });
      this.#serve(message.method, message.params || {});
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.error) waiting.reject(new VertoError(message.error));
    else waiting.resolve(message.result || {});
  }

  #serve(method, params) {
    switch (method) {
      case "verto.clientReady":
        this.onready(params.reattached_sessions || []);
        break;
      case "verto.punt":
        this.close();
        this.onstate("punted");
        break;
      case "verto.ping":
        break;
      default:
        this.onrequest(method, params);
    }
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new Error("connection lost"));
    }
    this.#waiting.clear();
    if (!this.#open) return;
    this.onstate("lost");
    this.#timer = setTimeout(() => this.connect(), this.#retry);
    this.#retry = Math.min(this.#retry * 2, lastRetry);
  }
}
