// How good the sound of a call is, in words: codec, loss and round trip.

// quality tells of a call {pc, before, paused, held} what changed since it was asked
// last; nothing while nothing has come in. before and paused are its own to keep.
export async function quality(c) {
  const report = await c.pc.getStats();
  let inbound, pair, remote;
  report.forEach((s) => {
    if (s.type === "inbound-rtp" && s.kind === "audio") inbound = s;
    if (s.type === "candidate-pair" && s.nominated && s.state === "succeeded") pair = s;
    if (s.type === "remote-inbound-rtp") remote = s;
  });
  if (!inbound) return "";
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
  return parts.join(", ");
}
