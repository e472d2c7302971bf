// What the box serves over https, so that people can compare it with what another
// browser warns of.

export async function showCertificate(box, text) {
  try {
    const reply = await fetch("certificate", { cache: "no-store" });
    if (!reply.ok) return;
    const c = await reply.json();
    const until = new Date(c.notAfter).toLocaleDateString([], { dateStyle: "long" });
    const by = c.selfSigned ? "made by the box itself" : "issued by " + c.issuer;
    text.textContent = `Over https this switch shows a certificate ${by}, good until ${until}. Its SHA-256 fingerprint: `;
    const print = document.createElement("code");
    print.textContent = c.fingerprint;
    text.append(print);
    box.hidden = false;
  } catch {
    // The page works without it.
  }
}
