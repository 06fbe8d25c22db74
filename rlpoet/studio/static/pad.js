// The pad: verse with what is heard in it, as it is typed; the line and the word at the cursor.
import { $, ask, copied, element, follow, hue, later, poemLine, saved, spoken, syllables, working } from "/static/page.js";

const text = $("text");
let lang = "fr";
let heard = { text: "", rows: [], poems: [] }; // the last answer, and the text it is of
let asked = null; // the request under way
let said = "";

export const kept = (key) => {
  try {
    return localStorage.getItem(`rlpoet-${key}`) || "";
  } catch {
    return "";
  }
};
export const keep = (key, value) => {
  try {
    localStorage.setItem(`rlpoet-${key}`, value);
  } catch {
    // private windows keep nothing
  }
};

const rowsOf = (value) => value.split("\n");
const lineAt = (value, at) => value.slice(0, at).split("\n").length - 1;
const now = () => lineAt(text.value, text.selectionStart);

// -- the margin and the underlines -----------------------------------------------------------------------

function rowOf(line, row, current) {
  const shown = element("div", { class: `row${current ? " now" : ""} ${row ? hue(row) : ""}` });
  const whole = line.normalize("NFC");
  const body = row ? row.head + row.tail + row.rest : "";
  if (row) {
    shown.append(
      element(
        "span",
        { class: "margin" },
        element("b", {}, row.letter),
        element("span", { class: row.in_meter ? "" : "off" }, row.count),
        element("span", { class: "halves" }, row.caesura),
      ),
    );
  }
  if (row && whole.trimEnd() === body) shown.append(row.head, element("span", { class: "tail" }, row.tail), row.rest + whole.slice(body.length) || "\u200b");
  else shown.append(whole || "\u200b");
  return shown;
}

function paint() {
  const lines = rowsOf(text.value);
  const before = rowsOf(heard.text);
  const moved = lines.length - before.length;
  const first = lines.findIndex((line, n) => line !== before[n]);
  // rows after the change have moved; the changed line keeps its margin until the answer comes
  const row = (n) => (first < 0 || n <= first ? heard.rows[n] : heard.rows[n - moved]) || null;
  const current = document.activeElement === text ? now() : -1;
  $("backdrop").replaceChildren(...lines.map((line, n) => rowOf(line, line.trim() ? row(n) : null, n === current)));
  $("backdrop").parentElement.classList.toggle("wide", heard.rows.some((one) => one && !one.in_meter && one.count.includes("|"))); // 12≠10|11
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

function read() {
  $("about").textContent = heard.poems.map((one) => one.about).join(" / ");
  const lines = [];
  heard.rows.forEach((row, n) => {
    if (row) lines.push(poemLine({ ...row, gap: n > 0 && !heard.rows[n - 1] && lines.length > 0 }, { reasons: true, marks: true }));
  });
  $("reading").replaceChildren(...lines);
  $("reading").lang = lang;
  $("reading-box").hidden = !lines.length;
}

const announce = later(1200, () => {
  const row = heard.rows[now()];
  const line = row && document.activeElement === text ? `Line ${now() + 1}: ${spoken(row)}` : "";
  if (line && line !== said) $("said").textContent = said = line;
});

async function listen() {
  asked?.abort();
  const request = (asked = new AbortController());
  const value = text.value;
  try {
    const answer = await ask("/api/analyse", { lang, text: value, form: $("form").value }, request.signal);
    if (!answer || request.signal.aborted) return;
    heard = { text: value, ...answer };
    $("pad-error").textContent = "";
    paint();
    read();
    lookAtLine();
    announce();
  } catch (error) {
    if (error.name === "AbortError") return;
    $("pad-error").textContent = error.message;
  }
}
const listenSoon = later(30, listen);

// -- the line and the word at the cursor -----------------------------------------------------------------

let shownLine = "";

const lookAtLine = later(60, async () => {
  const n = now();
  $("complete").textContent = `Complete line ${n + 1}`;
  $("line-heading").textContent = `Line ${n + 1}`;
  const line = rowsOf(text.value)[n] || "";
  const lengths = heard.rows[n]?.lengths || [];
  const key = JSON.stringify([lang, line, lengths, n, heard.rows[n]?.reasons]);
  if (key === shownLine) return;
  shownLine = key;
  if (!line.trim()) {
    $("line-shown").replaceChildren(element("p", { class: "hint" }, "An empty line parts stanzas."));
    return;
  }
  try {
    const told = await ask("/api/line", { lang, line, lengths });
    if (!told || key !== shownLine) return;
    const facts = element("dl", { class: "facts" });
    for (const [label, fact] of told.facts) facts.append(element("dt", {}, label || "\u00a0"), element("dd", {}, fact));
    for (const reason of heard.rows[n]?.reasons || []) {
      const [name, ...why] = reason.split(": ");
      facts.append(element("dt", {}, name), element("dd", {}, why.join(": ")));
    }
    const [heads, ...words] = told.words;
    const table = heads && element(
      "details",
      {},
      element("summary", {}, "Word by word"),
      element(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "The words of the line" },
        element(
          "table",
          {},
          element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
          element("tbody", {}, ...words.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))))),
        ),
      ),
    );
    const marks = syllables(told.syllables);
    marks.lang = lang;
    const open = $("line-shown").querySelector("details")?.open;
    $("line-shown").replaceChildren(marks, facts, ...(table ? [table] : []));
    if (open && table) table.open = true;
  } catch (error) {
    $("line-shown").replaceChildren(element("p", { class: "error" }, error.message));
  }
});

const WORD = /[\p{L}\p{M}’'-]+/gu;

function wordAt() {
  const n = now();
  const line = rowsOf(text.value)[n] || "";
  const start = text.value.split("\n").slice(0, n).join("\n").length + (n ? 1 : 0);
  const at = text.selectionStart - start;
  const words = [...line.matchAll(WORD)].map((found) => ({ word: found[0], start: start + found.index, end: start + found.index + found[0].length }));
  return words.find((one) => one.start - start <= at && at <= one.end - start) || words.at(-1) || null;
}

const followWord = later(450, () => {
  const found = wordAt();
  if (!found || $("words-form").contains(document.activeElement)) return;
  const word = found.word.replace(/^(?:[ldjmtnscLDJMTNSC]|qu|Qu)[’']/u, "");
  if (lang === "fr" ? word !== $("word").value : found.word !== $("word").value) {
    $("word").value = lang === "fr" ? word : found.word;
    findWords();
  }
});

let wanted = 0;

async function findWords() {
  const word = $("word").value.trim();
  if (!word) return;
  const turn = ++wanted;
  try {
    const answer = await ask("/api/words", { lang, word, syllables: Number($("word-syllables").value) });
    if (!answer || turn !== wanted) return;
    const groups = answer.groups.flatMap((group) => [
      element("h3", {}, group.kind),
      element(
        "ul",
        { class: "words", lang },
        ...group.words.map((one) =>
          element("li", {}, element("button", { type: "button", tabindex: "-1", title: one.about, onclick: () => use(one.word) }, one.word, one.note ? element("span", { class: "note" }, ` ${one.note}`) : "")),
        ),
      ),
    ]);
    const shown = answer.groups.reduce((sum, group) => sum + group.words.length, 0);
    $("words-said").textContent = shown ? `${shown} ${shown === 1 ? "word" : "words"} for ${word}, the closest rhymes first.` : `No word rhymes with ${word}.`;
    $("words-shown").replaceChildren(...groups);
    $("words-shown").querySelector("button")?.setAttribute("tabindex", "0");
  } catch (error) {
    if (turn !== wanted) return;
    $("words-said").textContent = "";
    $("words-shown").replaceChildren(element("p", { class: "error" }, error.message));
  }
}

// The words are one stop of the Tab key, since there may be hundreds; arrow keys go from one to the next.
function moveAmongWords(event) {
  const buttons = [...$("words-shown").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const steps = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 };
  const next = buttons[steps[event.key]];
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey || !(event.key in steps)) return;
  event.preventDefault();
  if (!next) return;
  buttons[at].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// Type into the text area, so that undo takes it back.
function write(start, end, words) {
  text.focus();
  text.setSelectionRange(start, end);
  if (!document.execCommand("insertText", false, words)) {
    text.setRangeText(words, start, end, "end");
    changed();
  }
}

function use(word) {
  const found = wordAt();
  if (found) write(found.start, found.end, word);
  else write(text.selectionStart, text.selectionEnd, word);
}

// -- complete this line ----------------------------------------------------------------------------------

const syllablesOf = (row) => parseInt(row.count, 10);
const roomOf = (row) => Math.max(...(row.lengths.length ? row.lengths : (row.count.split("≠")[1] || "Infinity").split("|").map(Number)));

async function complete() {
  const n = now();
  const lines = rowsOf(text.value);
  const start = lines.slice(0, n).join("\n").length + (n ? 1 : 0);
  const begin = $("complete-begin").checked ? lines[n].slice(0, text.selectionStart - start) : "";
  const row = heard.text === text.value ? heard.rows[n] : null;
  if (begin.trim() && begin.trim() === lines[n].trim() && row && syllablesOf(row) >= roomOf(row)) {
    $("proposals").replaceChildren();
    $("complete-said").textContent = `Line ${n + 1} is full: put the cursor where it should go on, or do not keep what stands before the cursor.`;
    return;
  }
  const request = { lang, text: text.value, form: $("form").value, line: n, begin: begin.trim() };
  const asOf = text.value;
  $("proposals").replaceChildren();
  $("proposals").lang = lang;
  const release = working($("complete"), $("complete-stop"));
  $("complete-said").textContent = "Looking for lines …";
  let found = 0;
  try {
    await follow("/api/complete", request, (event) => {
      if (event.type === "status") $("complete-said").textContent = event.text;
      else if (event.type === "error") throw new Error(event.text);
      else if (event.type === "done") $("complete-said").textContent = found ? `${found} proposals for line ${n + 1}. Choose one to put it there.` : "No line was found that fits.";
      else if (event.type === "proposal") {
        found += 1;
        const choose = () => {
          if (text.value !== asOf) {
            $("complete-said").textContent = "The text has changed since. Ask again.";
            return;
          }
          write(start, start + lines[n].length, event.line);
          $("proposals").replaceChildren();
          $("complete-said").textContent = `Line ${n + 1} is written.`;
        };
        $("proposals").append(element("li", {}, element("button", { type: "button", onclick: choose }, event.line, element("small", {}, event.about))));
      }
    });
  } catch (error) {
    $("complete-said").textContent = error.message;
  }
  release();
}

// -- copy ------------------------------------------------------------------------------------------------

async function exported() {
  const format = $("export-format").value;
  const request = { lang, text: text.value, form: $("form").value, format, title: $("export-title").value, author: $("export-author").value };
  try {
    return await ask("/api/export", request);
  } catch (error) {
    $("export-said").textContent = error.message;
    return null;
  }
}

$("export-copy").addEventListener("click", async () => {
  const made = await exported();
  if (!made) return;
  $("export-shown").hidden = false;
  $("export-shown").value = made.text;
  if (await copied(made.text)) $("export-said").textContent = `Copied as ${$("export-format").selectedOptions[0].textContent}.`;
  else {
    $("export-shown").select();
    $("export-said").textContent = "The browser does not let a page copy here. The text is selected: copy it with the keyboard.";
  }
});
$("export-save").addEventListener("click", async () => {
  const made = await exported();
  if (made) saved(made.text, `${$("export-title").value.trim().replace(/[^\p{L}\p{N}]+/gu, "-") || "poem"}.${made.suffix}`);
});

// -- what the reader does --------------------------------------------------------------------------------

function changed() {
  keep("text", text.value);
  paint();
  listenSoon();
}
function moved() {
  const current = document.activeElement === text ? now() : -1;
  [...$("backdrop").children].forEach((row, n) => row.classList.toggle("now", n === current));
  lookAtLine();
  followWord();
  announce();
}
text.addEventListener("input", changed);
for (const event of ["keyup", "click", "focus", "select", "blur"]) text.addEventListener(event, moved);
window.addEventListener("resize", later(100, paint));
$("form").addEventListener("change", listen);
$("clear").addEventListener("click", () => {
  write(0, text.value.length, "");
});
$("words-form").addEventListener("submit", (event) => {
  event.preventDefault();
  findWords();
});
$("word-syllables").addEventListener("change", findWords);
$("words-shown").addEventListener("keydown", moveAmongWords);
$("complete").addEventListener("click", complete);
$("complete-stop").addEventListener("click", () => ask("/api/stop", {}));

if (matchMedia("(max-width: 36rem)").matches) $("reading-box").open = false;

export function begin(language) {
  lang = language;
  text.lang = lang;
  text.value ||= kept("text");
  shownLine = "";
  paint();
  listen();
}
export function open() {
  paint();
}
export function take(words) {
  text.value = words;
  changed();
}
