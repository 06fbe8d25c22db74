// Compose: poems by a policy, told while they are written; any line of one can be drawn again.
import { $, ask, copied, element, follow, poemLine, working } from "/static/page.js";

let lang = "fr";
let known = null; // authors of the policy of this language
let busy = false;
let release = () => {};

const say = (line) => ($("compose-said").textContent = line);

async function authors() {
  if (known) return known;
  const of = lang;
  const answer = await ask(`/api/authors?lang=${encodeURIComponent(of)}`);
  if (of !== lang) return [];
  known = answer.authors;
  $("known-authors").replaceChildren(...known.map((name) => element("option", { value: name })));
  return known;
}

function addAuthor() {
  const n = $("authors").children.length + 1;
  if (n > 4) return;
  const row = element(
    "div",
    { class: "author" },
    element("input", { class: "name", list: "known-authors", maxlength: "200", autocomplete: "off", "aria-label": `Author ${n}`, placeholder: "a name, or part of it" }),
    element("input", { class: "weight", type: "range", min: "0.1", max: "1", step: "0.1", value: "1", "aria-label": `Weight of author ${n}` }),
    element("button", { type: "button", "aria-label": `Remove author ${n}`, onclick: () => { row.remove(); $("add-author").disabled = false; $("add-author").focus(); } }, "×"),
  );
  $("authors").append(row);
  $("add-author").disabled = n === 4;
  row.querySelector(".name").focus();
  authors().catch((error) => say(error.message));
}

function request() {
  const blend = [...$("authors").children]
    .map((row) => ({ name: row.querySelector(".name").value.trim(), weight: Number(row.querySelector(".weight").value) }))
    .filter((one) => one.name);
  return {
    lang,
    form: $("compose-form-name").value,
    authors: blend,
    theme: $("theme").value.trim(),
    first_line: $("first-line").value.trim(),
    temperature: Number($("temperature").value),
    n: Number($("n").value),
    line_by_line: $("line-by-line").checked,
  };
}

// A poem with a button at each line that draws it again.
function card(given, about) {
  let poem = given;
  const lines = element("ol", { class: "poem", lang: poem.lang });
  const told = element("p", { class: "hint" }, poem.about);
  const draw = () => {
    told.textContent = poem.about;
    lines.replaceChildren(...poem.rows.map((row, n) => poemLine(row, {}, element("button", { type: "button", class: "again", "aria-label": `Draw line ${n + 1} again`, title: "Draw this line again", onclick: () => again(n) }, "↻"))));
  };
  const place = (n) => {
    // the number of a line of verse in the printed text, where blank lines count
    const rows = poem.text.split("\n");
    let left = n;
    return rows.findIndex((row) => row.trim() && left-- === 0);
  };
  const again = async (n) => {
    if (busy) return;
    started();
    const at = place(n);
    let line = "";
    try {
      await follow("/api/complete", { lang: poem.lang, text: poem.text, form: poem.form || "", line: at, begin: "" }, (event) => {
        if (event.type === "status") say(event.text);
        else if (event.type === "error") throw new Error(event.text);
        else if (event.type === "proposal" && !line && event.line !== poem.text.split("\n")[at]) {
          line = event.line;
          ask("/api/stop", {});
        }
      });
      if (line) {
        const rows = poem.text.split("\n");
        rows[at] = line;
        const answer = await ask("/api/analyse", { lang: poem.lang, text: rows.join("\n"), form: poem.form || "" });
        const found = answer.rows.filter((row) => row);
        poem = { ...poem, ...answer.poems[0], text: rows.join("\n"), rows: found.map((row, k) => ({ ...row, gap: poem.rows[k]?.gap })) };
        draw();
        say(`Line ${n + 1} is drawn again.`);
        lines.children[n].querySelector("button").focus();
      } else say("No other line was found that fits.");
    } catch (error) {
      say(error.message);
    }
    ended();
  };
  draw();
  const copy = async () => say((await copied(`${poem.text}\n`)) ? "The poem is copied." : "The browser does not let a page copy here.");
  return element(
    "article",
    { class: "card", "aria-label": "A poem" },
    told,
    lines,
    about ? element("p", { class: "hint" }, about) : "",
    element(
      "div",
      { class: "fields" },
      element("button", { type: "button", onclick: () => document.dispatchEvent(new CustomEvent("studio:write", { detail: poem.text })) }, "Open in the pad"),
      element("button", { type: "button", onclick: copy }, "Copy"),
    ),
  );
}

function started() {
  busy = true;
  release = working($("compose-go"), $("compose-stop"));
  $("compose-error").textContent = "";
}
function ended() {
  busy = false;
  release();
  $("live").hidden = true;
}

async function compose(event) {
  event.preventDefault();
  if (busy) return;
  started();
  $("poems").replaceChildren();
  $("live").textContent = "";
  $("live").lang = lang;
  let made = 0;
  try {
    await follow("/api/compose", request(), (told) => {
      if (told.type === "status") say(told.text);
      else if (told.type === "error") throw new Error(told.text);
      else if (told.type === "line") {
        $("live").hidden = false;
        $("live").append(`${told.text}\n`);
      } else if (told.type === "poem") {
        made += 1;
        $("live").textContent = "";
        $("live").hidden = true;
        const form = told.perfect ? "keeps its form" : "does not keep its form";
        const manner = told.author ? ` · in the manner of ${told.author.replaceAll("+", " and ").replaceAll(":", " ")}` : "";
        $("poems").append(card(told.poem, `${form} · ${told.draws} drawn · seed ${told.seed}${manner}`));
      } else if (told.type === "done") say(told.stopped ? "Stopped." : `${made} ${made === 1 ? "poem" : "poems"} written.`);
    });
  } catch (error) {
    say("");
    $("compose-error").textContent = error.message;
  }
  ended();
}

$("compose-form").addEventListener("submit", compose);
$("compose-stop").addEventListener("click", () => ask("/api/stop", {}));
$("add-author").addEventListener("click", addAuthor);
const warmth = () => ($("temperature-shown").textContent = Number($("temperature").value).toFixed(1));
$("temperature").addEventListener("input", warmth);
warmth();

export function begin(language) {
  if (language !== lang) known = null;
  lang = language;
}
