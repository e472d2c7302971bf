// The page used as by somebody who has a keyboard and a screen reader: controls are
// found by their names, and reached by the Tab key.

const limit = 40000; // ms for anything to happen

// state waits until the page says something.
export const state = (page, pattern) => page.getByRole("status").filter({ hasText: pattern }).waitFor({ timeout: limit });

// tabTo goes with the keyboard to a control, by its accessible name.
export async function tabTo(page, role, name) {
  const wanted = page.getByRole(role, { name, exact: true });
  for (let n = 0; n < 60; n++) {
    if (await wanted.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`no way by keyboard to ${role} "${name}"`);
}

// judge tells of controls without a name and pages that scroll sideways.
export async function judge(page, where) {
  const found = await page.evaluate(() => {
    const list = [];
    const shown = (e) => e.checkVisibility();
    for (const e of document.querySelectorAll("button, input, select, meter, [role=group], [role=region]")) {
      if (!shown(e)) continue;
      const label = e.getAttribute("aria-label") || (e.labels && [...e.labels].map((l) => l.textContent).join(" ")) ||
        (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby"))?.textContent) || e.textContent.trim();
      if (!label) list.push(`${e.tagName.toLowerCase()} #${e.id} has no name`);
      if (e.matches("button, input, select") && e.getBoundingClientRect().height < 40) list.push(`#${e.id || e.textContent} is too small to touch`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) list.push(`two elements are called ${id}`);
    if (!document.documentElement.lang) list.push("the page has no language");
    if (document.querySelectorAll("h1").length !== 1) list.push("the page has not one heading");
    if (document.documentElement.scrollWidth > innerWidth) list.push(`the page is ${document.documentElement.scrollWidth} wide in ${innerWidth}`);
    return list;
  });
  return found.map((f) => `${where}: ${f}`);
}
