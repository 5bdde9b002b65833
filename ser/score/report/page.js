"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
data.audio = JSON.parse(document.getElementById("audio").textContent);
const PAGE = 50;
const columns = [
  ["utterance", r => r.utt], ["speaker", r => r.spk], ["fold", r => r.fold],
  ["system", r => data.systems[r.system]], ["reference", r => data.labels[r.ref]],
  ["hypothesis", r => data.labels[r.hyp]], ["confidence", r => Math.max(...r.post)],
  ["said", r => r.text], ["heard", r => r.heard === null ? "" : r.heard],
];
const rows = data.rows.map(([u, system, hyp, post, heard]) => {
  const [utt, spk, fold, ref, text] = data.utts[u];
  return {utt, spk, fold, ref, text, system, hyp, post, heard};
});
const field = id => document.getElementById(id);
let sorted = null, descending = false, page = 0;

const ROLES = {tr: "row", th: "columnheader", td: "cell"};

function cell(tag, content, name) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (tag in ROLES) element.setAttribute("role", ROLES[tag]);  // cards on a phone stay a table
  if (content instanceof Node) element.append(content); else element.textContent = content;
  return element;
}

function player(row) {
  const {link, why} = data.audio[row.utt] || {why: "no audio: not in wav.scp"};
  const box = cell("div", why || "", "audio");
  if (!link) return box;
  const audio = document.createElement("audio");
  audio.controls = true;
  audio.preload = "metadata";
  audio.setAttribute("aria-label", "Audio of " + row.utt);
  box.append(audio);
  tellUnplayable(audio);
  audio.src = link;
  return box;
}

function bars(row) {
  const box = cell("div", "", "bars");
  data.labels.forEach((label, i) => {
    const bar = cell("div", "", "bar"), fill = document.createElement("i");
    fill.style.width = (0.6 * row.post[i]) + "px";
    bar.append(cell("span", label + " " + row.post[i] + " %"), fill);
    box.append(bar);
  });
  return box;
}

function chosen() {
  const words = field("search").value.toLowerCase(), system = field("system").value;
  const ref = field("ref").value, hyp = field("hyp").value, wrong = field("wrong").checked;
  const found = rows.filter(r =>
    (!system || data.systems[r.system] === system) && (!ref || data.labels[r.ref] === ref) &&
    (!hyp || data.labels[r.hyp] === hyp) && (!wrong || r.ref !== r.hyp) &&
    (!words || [r.utt, r.spk, r.text, r.heard].some(t => t && t.toLowerCase().includes(words))));
  if (sorted !== null) {
    const value = columns[sorted][1], sign = descending ? -1 : 1;
    found.sort((a, b) => {
      const x = value(a), y = value(b);
      return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", {numeric: true}));
    });
  }
  return found;
}

function draw() {
  const found = chosen(), last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
  page = Math.min(page, last);
  const body = document.querySelector("#table tbody");
  body.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(row => {
    const line = cell("tr", ""), right = row.ref === row.hyp;
    columns.forEach(([name, value]) => {
      let content = value(row), kind = ["said", "heard"].includes(name) ? "text" : "word";
      if (name === "confidence") content = bars(row);
      if (name === "hypothesis" && !right) {
        content += " (wrong)";
        kind += " wrong";
      }
      const shown = cell("td", content, kind);
      shown.dataset.name = name;
      if (name === "said" && data.audio) shown.append(player(row));
      line.append(shown);
    });
    return line;
  }));
  field("count").textContent = found.length + " of " + rows.length + " decisions";
  field("page").textContent = "page " + (page + 1) + " of " + (last + 1);
  field("previous").disabled = page === 0;
  field("next").disabled = page === last;
  document.querySelectorAll("#table thead th").forEach((head, i) => head.setAttribute(
    "aria-sort", i !== sorted ? "none" : descending ? "descending" : "ascending"));
}

columns.forEach(([name], i) => {
  const head = cell("th", "", "word"), button = cell("button", name);
  head.scope = "col";
  document.querySelector("#table thead tr").append(head);
  button.type = "button";
  button.addEventListener("click", () => {
    descending = sorted === i && !descending;
    sorted = i; page = 0; draw();
  });
  head.append(button);
});
for (const kind of ["input", "change"])
  field("filters").addEventListener(kind, () => { page = 0; draw(); });
field("filters").addEventListener("submit", event => event.preventDefault());
field("previous").addEventListener("click", () => { page -= 1; draw(); });
field("next").addEventListener("click", () => { page += 1; draw(); });
draw();
