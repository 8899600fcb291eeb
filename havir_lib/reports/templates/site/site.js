"use strict";
// Tables that sort, figures that enlarge, text that copies. Works without: everything is on the page.

function numberOf(text) {
  const found = text.replace("–", "").match(/-?\d+(\.\d+)?([eE]-?\d+)?/);
  return found ? Number(found[0]) : null;
}

function sortTable(table, column, header) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, text: row.cells[column].textContent.trim() }));
  const numeric = rows.filter((x) => numberOf(x.text) !== null).length > rows.length / 2;
  rows.sort((a, b) => {
    if (!numeric) return (ascending ? 1 : -1) * a.text.localeCompare(b.text) || a.place - b.place;
    const [x, y] = [numberOf(a.text), numberOf(b.text)];
    if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place;
    return (ascending ? 1 : -1) * (x - y) || a.place - b.place;
  });
  body.append(...rows.map((x) => x.row));
}

for (const table of document.querySelectorAll(".scroll table")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortTable(table, column, header));
  });
}

const large = document.getElementById("large");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const [shown, picture] = [button.querySelector("img"), large.querySelector("img")];
    picture.src = shown.src;
    picture.alt = shown.alt;
    large.showModal();
  });
}
large.querySelector(".close").addEventListener("click", () => large.close());

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).innerText);
    button.textContent = "Copied";
  });
}

for (const menu of document.querySelectorAll(".menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); }
  });
}
