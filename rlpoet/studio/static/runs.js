// Compare: a run before and after training, with its figures, curves and poems.
import { $, ask, element, poem } from "/static/page.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360, HEIGHT = 170, LEFT = 52, RIGHT = 8, TOP = 10, BOTTOM = 24;
let shown = "";

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const short = (value) => (Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(Number(value.toPrecision(3))));

function chart(curve) {
  const level = (value) => (curve.log ? Math.log10(value) : value);
  const values = curve.values.map(level);
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const [first, last] = [curve.steps[0], curve.steps.at(-1)];
  const x = (step) => LEFT + ((step - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const path = (heights) => heights.map((value, n) => `${n ? "L" : "M"}${x(curve.steps[n]).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${curve.name}: ${short(curve.first)} at first, ${short(curve.last)} at last` });
  for (const value of [low, (low + high) / 2, high]) {
    picture.append(drawn("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    picture.append(drawn("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(curve.log ? 10 ** value : value)));
  }
  picture.append(drawn("text", { x: LEFT, y: HEIGHT - 6 }, short(first)), drawn("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, `step ${short(last)}`));
  const noisy = values.length >= 30;
  if (noisy) picture.append(drawn("path", { class: "raw", d: path(values) }));
  picture.append(drawn("path", { class: "mean", d: path(noisy ? curve.smooth.map(level) : values) }));
  return element("figure", { class: "chart" }, element("figcaption", {}, curve.log ? `${curve.name} (log scale)` : curve.name), picture);
}

function table(heads, rows, label) {
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    element(
      "table",
      { class: "figures" },
      element("thead", {}, element("tr", {}, ...heads.map((head) => (head ? element("th", { scope: "col" }, head) : element("td", {}))))),
      element("tbody", {}, ...rows.map(([head, ...cells]) => element("tr", {}, element("th", { scope: "row" }, head), ...cells.map((cell) => element("td", {}, cell))))),
    ),
  );
}

function sample(title, one) {
  if (!one) return element("div", {});
  const manner = one.author ? ` · in the manner of ${one.author}` : "";
  const body = one.rows ? [element("p", { class: "hint" }, one.about), poem(one.rows, one.lang)] : [element("pre", { class: "verse" }, one.text)];
  return element("article", { class: "card" }, element("h3", {}, title + manner), ...body);
}

function page(run) {
  const parts = [];
  if (run.shares.length) parts.push(element("p", { class: "about" }, `Rhyming pairs: ${run.shares[0]} before, ${run.shares[1]} after training.`));
  else parts.push(element("p", { class: "about" }, "This run has no result yet."));
  parts.push(element("p", { class: "hint" }, run.facts.join(" · ")));
  if (run.fell.length) parts.push(element("p", { class: "error" }, `The reward fell: ${run.fell[0]} before, ${run.fell[1]} after.`));
  for (const alarm of run.alarms) parts.push(element("p", { class: "error" }, `${alarm.name}, step ${alarm.step}: ${alarm.seen}. ${alarm.advice}`));
  if (run.change.length) parts.push(element("h2", {}, "Before and after"), table(["", "before", "after", "change"], run.change, "Figures before and after"), element("p", { class: "hint" }, run.note));
  if (run.pairs.length) {
    parts.push(element("h2", {}, "Poems side by side"));
    for (const [before, after] of run.pairs) parts.push(element("div", { class: "pair" }, sample("before", before), sample("after", after)));
  }
  if (run.curves.length) {
    parts.push(element("h2", {}, "Curves"), element("div", { class: "charts" }, ...run.curves.slice(0, run.n_first).map(chart)));
    const rest = run.curves.slice(run.n_first);
    if (rest.length) {
      const more = element("details", {}, element("summary", {}, `${rest.length} more curves`));
      more.addEventListener("toggle", () => more.children.length > 1 || more.append(element("div", { class: "charts" }, ...rest.map(chart))));
      parts.push(more);
    }
  }
  if (run.rewards.length) {
    const averaged = `${run.averaged} step${run.averaged > 1 ? "s" : ""}`;
    parts.push(element("h2", {}, "Rewards"), element("p", { class: "hint" }, `Means in [0, 1] of the poems drawn in ${averaged}, while training.`));
    parts.push(table(["", "weight", "first", "last", "change"], run.rewards, "Rewards of the first and the last steps"));
  }
  return parts;
}

async function show(name) {
  shown = name;
  $("runs-said").textContent = `Reading ${name} …`;
  try {
    const run = await ask(`/api/runs/${encodeURIComponent(name)}`);
    if (!run || shown !== name) return;
    $("run-shown").replaceChildren(...page(run));
    $("runs-said").textContent = "";
  } catch (error) {
    $("run-shown").replaceChildren();
    $("runs-said").textContent = error.message;
  }
}

export async function open() {
  try {
    const { folder, runs } = await ask("/api/runs");
    const chosen = runs.includes($("run").value) ? $("run").value : runs[0];
    $("run").replaceChildren(...runs.map((name) => element("option", { value: name, selected: name === chosen }, name)));
    $("run").disabled = !runs.length;
    if (chosen) await show(chosen);
    else $("runs-said").textContent = `No run in ${folder}. Train one with "rlpoet train", or start the studio with --runs FOLDER.`;
  } catch (error) {
    $("runs-said").textContent = error.message;
  }
}

$("run").addEventListener("change", () => show($("run").value));
$("run-refresh").addEventListener("click", open);
