// The calls that this browser made and got, newest first, kept for each user in
// the browser alone.

const most = 50;

export class History {
  constructor(list, clear, dial) {
    this.list = list;
    this.dial = dial;
    this.user = "";
    clear.addEventListener("click", () => this.save([]));
  }

  key() {
    return "history " + this.user;
  }

  // of shows the calls of a user.
  of(user) {
    this.user = user;
    this.show();
  }

  load() {
    try {
      const rows = JSON.parse(localStorage.getItem(this.key()) || "[]");
      return Array.isArray(rows) ? rows.slice(0, most) : [];
    } catch {
      return [];
    }
  }

  save(rows) {
    localStorage.setItem(this.key(), JSON.stringify(rows.slice(0, most)));
    this.show();
  }

  // add keeps a call that is over: number, name, inbound, begun and answered (ms,
  // 0: never).
  add(call) {
    if (!this.user || !call.number) return;
    const seconds = call.answered ? Math.round((Date.now() - call.answered) / 1000) : 0;
    this.save([{ number: call.number, name: call.name, inbound: call.inbound, begun: call.begun, answered: call.answered > 0, seconds }, ...this.load()]);
  }

  show() {
    const rows = this.load();
    this.list.replaceChildren(...rows.map((r) => this.row(r)));
    this.list.parentElement.hidden = rows.length === 0;
  }

  row(r) {
    const kind = r.inbound ? (r.answered ? "From" : "Missed from") : (r.answered ? "To" : "No answer from");
    const who = r.name && r.name !== r.number ? `${r.name} (${r.number})` : r.number;
    const lasted = r.answered ? `, ${Math.floor(r.seconds / 60)}:${String(r.seconds % 60).padStart(2, "0")}` : "";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${kind} ${who}`;
    button.setAttribute("aria-label", `${kind} ${who}${lasted}. Call ${r.number}`);
    button.addEventListener("click", () => this.dial(r.number));
    const when = document.createElement("span");
    when.textContent = new Date(r.begun).toLocaleString([], { dateStyle: "short", timeStyle: "short" }) + lasted;
    const item = document.createElement("li");
    item.append(button, when);
    return item;
  }
}
