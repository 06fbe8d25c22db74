// The studio: its rooms, the language, and what is asked of the server first.
import { $, ask, element } from "/static/page.js";
import * as pad from "/static/pad.js";
import * as compose from "/static/compose.js";
import * as runs from "/static/runs.js";

const rooms = ["pad", "compose", "runs"];

function show(room, { focus = false } = {}) {
  for (const name of rooms) {
    const chosen = name === room;
    $(name).hidden = !chosen;
    $(`tab-${name}`).setAttribute("aria-selected", chosen);
    $(`tab-${name}`).tabIndex = chosen ? 0 : -1;
  }
  if (focus) $(`tab-${room}`).focus();
  if (location.hash.slice(1) !== room) history.replaceState(null, "", `#${room}`);
  if (room === "runs") runs.open();
  if (room === "pad") pad.open();
}

for (const name of rooms) {
  $(`tab-${name}`).addEventListener("click", () => show(name));
  $(`tab-${name}`).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const place = { Home: 0, End: rooms.length - 1 }[event.key] ?? (step && (rooms.indexOf(name) + step + rooms.length) % rooms.length);
    if (place === undefined) return;
    event.preventDefault();
    show(rooms[place], { focus: true });
  });
}
document.addEventListener("studio:write", (event) => {
  pad.take(event.detail);
  show("pad");
});

async function begin(lang) {
  const options = await ask(`/api/options${lang ? `?lang=${encodeURIComponent(lang)}` : ""}`);
  $("lang").replaceChildren(...options.languages.map((one) => element("option", { value: one.code, selected: one.code === options.lang }, one.name)));
  $("version").textContent = `rlpoet ${options.version}`;
  const named = (one) => element("option", { value: one.name, title: one.about }, `${one.name} (${[one.scheme || `${one.lines} lines`, one.lengths].filter(Boolean).join(", ")})`);
  const kept = $("form").value;
  $("form").replaceChildren(element("option", { value: "" }, "as heard"), ...options.forms.map(named));
  $("form").value = options.forms.some((one) => one.name === kept) ? kept : "";
  $("compose-form-name").replaceChildren(...options.forms.filter((one) => one.writable).map(named));
  if (options.forms.some((one) => one.name === "quatrain-abab")) $("compose-form-name").value = "quatrain-abab";
  pad.begin(options.lang);
  compose.begin(options.lang);
}

$("lang").addEventListener("change", () => {
  pad.keep("lang", $("lang").value);
  begin($("lang").value);
});
begin(pad.kept("lang")).catch(() => begin("")).then(() => show(rooms.includes(location.hash.slice(1)) ? location.hash.slice(1) : "pad"));
