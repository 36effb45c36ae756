"use strict";
// What the page can do beyond being read: it is whole without this.

const rowsOf = (body) => [...body.rows].filter((row) => !row.classList.contains("section"));
const textOf = (cell) => (cell ? cell.textContent.trim() : "");

// A figure such as "76.16 (74.9–77.4)", "−0.3", "12 000", "22.7 M", "13.2×", "3 min 05 s", "1 h 10 min".
const UNITS = {K: 1e3, M: 1e6, s: 1, min: 60, h: 3600};
function figureOf(text) {
  const plain = text.replace(/−/g, "-").replace(/(\d)[\u202f\u00a0](?=\d)/g, "$1").replace(/^</, "");
  const times = [...plain.matchAll(/(\d+(?:\.\d+)?)\s(h|min|s)\b/g)];
  if (times.length) return times.reduce((sum, part) => sum + part[1] * UNITS[part[2]], 0);
  const found = plain.match(/^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?/i);
  if (!found) return null;
  const unit = plain.slice(found[0].length).match(/^\s([KM])\b/);
  return Number(found[0]) * (unit ? UNITS[unit[1]] : 1);
}

function compare(one, other, numbers) {
  const [a, b] = numbers ? [figureOf(one), figureOf(other)] : [null, null];
  if (a !== null && b !== null) return a - b;
  if (a !== null || b !== null) return a === null ? 1 : -1;
  return one.localeCompare(other, undefined, {numeric: true});
}

// Rows are sorted inside their group, empty cells last; the third press brings the first order back.
function sortBy(table, place, order, numbers) {
  for (const body of table.tBodies) {
    const rows = rowsOf(body);
    rows.forEach((row, index) => { row.dataset.first ??= index; });
    const empty = (row) => ["", "–"].includes(textOf(row.cells[place]));
    rows.sort((a, b) => {
      if (order === "none") return a.dataset.first - b.dataset.first;
      if (empty(a) || empty(b)) return empty(a) - empty(b) || a.dataset.first - b.dataset.first;
      return (order === "descending" ? -1 : 1) * compare(textOf(a.cells[place]), textOf(b.cells[place]), numbers);
    });
    body.append(...rows);
  }
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, place) => {
    const numbers = head.classList.contains("number");  // the greatest first, of texts the first of the alphabet
    const orders = numbers ? ["none", "descending", "ascending"] : ["none", "ascending", "descending"];
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = orders[(orders.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
      heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
      sortBy(table, place, order, numbers);
    });
  });
}

function filter(table, words, told) {
  const every = [...table.tBodies].flatMap((body) => {
    const rows = rowsOf(body);
    const heading = body.querySelector("tr.section");
    const title = textOf(heading).toLowerCase();
    for (const row of rows) {
      const text = `${title} ${row.textContent.toLowerCase()}`;
      row.hidden = !words.every((word) => text.includes(word));
    }
    if (heading) heading.hidden = rows.every((row) => row.hidden);
    return rows;
  });
  told.textContent = words.length ? `${every.filter((row) => !row.hidden).length} of ${every.length} rows` : "";
}

function makeSearchable(frame, table) {
  const label = document.createElement("label"), field = document.createElement("input");
  const told = document.createElement("output");
  field.type = "search";
  field.placeholder = "Find rows";
  field.setAttribute("aria-label", `Find rows: ${frame.getAttribute("aria-label")}`);
  label.className = "find";
  label.append(field, told);
  field.addEventListener("input", () => filter(table, field.value.toLowerCase().split(/\s+/).filter(Boolean), told));
  frame.before(label);
}

function makeLinkable(table) {
  for (const row of table.querySelectorAll("tbody tr[id]")) {
    row.cells[0].addEventListener("click", () => {
      if (!getSelection().toString()) history.replaceState(null, "", `#${row.id}`);
    });
    row.cells[0].title = "Click: a link to this row is in the address";
  }
}

// What a link leads to is shown, also in a part that is folded away.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
}

const FEWEST_TO_SEARCH = 6;
for (const frame of document.querySelectorAll(".table")) {
  const table = frame.querySelector("table");
  const rows = [...table.tBodies].flatMap(rowsOf);
  makeLinkable(table);
  if (rows.length > 1) makeSortable(table);
  if (rows.length >= FEWEST_TO_SEARCH) makeSearchable(frame, table);
}

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((part) => { part.open = true; });
});
addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
addEventListener("hashchange", reveal);
if (location.hash) reveal();
