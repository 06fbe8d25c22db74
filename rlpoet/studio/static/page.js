// What every room of the studio uses: asking the server, making elements, drawing a poem. Text becomes text nodes, never markup.

export const $ = (id) => document.getElementById(id);

export function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

async function refused(answer) {
  try {
    return (await answer.json()).error || answer.statusText;
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

export async function ask(path, body, signal) {
  const options = body === undefined ? { signal } : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal };
  const answer = await fetch(path, options);
  if (answer.status === 204) return null;
  if (!answer.ok) throw new Error(await refused(answer));
  return answer.json();
}

// Rows of JSON as they come.
export async function follow(path, body, each) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await refused(answer));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const rows = (pending + value).split("\n");
    pending = rows.pop();
    for (const row of rows) each(JSON.parse(row));
  }
}

export const hue = (row) => (row.hue === null ? "x" : `f${row.hue}`);

export function syllables(marks) {
  const shown = element("span", { class: "syllables", "aria-hidden": "true" });
  for (const [mark, below] of marks) shown.append(element("span", { class: mark === "/" ? "strong" : "" }, element("b", {}, mark || " "), below));
  return shown;
}

export function spoken(row) {
  const rhyme = row.letter === "x" ? "no rhyme" : `rhyme ${row.letter}`;
  const count = row.in_meter ? `${row.count} syllables` : `${row.count.replace("≠", " syllables, expected ").replaceAll("|", " or ")}`;
  return `${rhyme}, ${count}${row.caesura ? `, ${row.caesura}` : ""}`;
}

// One line of a poem; extra elements stand behind it.
export function poemLine(row, { reasons = false, marks = false } = {}, ...extra) {
  return element(
    "li",
    { class: `${hue(row)}${row.gap ? " gap" : ""}` },
    element("span", { class: "letter", "aria-hidden": "true" }, row.letter),
    element("span", { class: `count${row.in_meter ? "" : " off"}`, "aria-hidden": "true" }, row.count),
    element("span", { class: "verse" }, row.head, element("span", { class: "tail" }, row.tail), row.rest, element("span", { class: "hidden" }, ` (${spoken(row)})`)),
    ...extra,
    marks ? syllables(row.syllables) : null,
    ...(reasons ? row.reasons.map((reason) => element("p", { class: "why" }, reason)) : []),
  );
}

export function poem(rows, lang, options = {}) {
  return element("ol", { class: "poem", lang }, ...rows.map((row) => poemLine(row, options)));
}

export function later(wait, work) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), wait);
  };
}

// While something is worked on its button rests, and the one that stops it is shown. The keyboard's focus goes there and back: a button that
// rests would drop it.
export function working(button, stop) {
  const own = document.activeElement === button;
  stop.hidden = false;
  if (own) stop.focus();
  button.disabled = true;
  return () => {
    const back = document.activeElement === stop;
    button.disabled = false;
    if (back) button.focus();
    stop.hidden = true;
  };
}

export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export function saved(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
