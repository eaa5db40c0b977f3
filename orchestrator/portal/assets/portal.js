// Filters rows by what the address says, and shows how old the portal is. Without it every page is complete.
"use strict";
(() => {
  const query = new URLSearchParams(location.search);
  const value = (name) => (query.get(name) || "").trim();
  for (const form of document.querySelectorAll("form[hidden]")) form.hidden = false;
  for (const form of document.querySelectorAll("form.filters, form.search")) {
    for (const field of form.elements) {
      if (field.name && value(field.name)) field.value = value(field.name);
    }
    form.addEventListener("submit", () => {
      // What is empty stays out of the address.
      for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
    });
  }
  window.addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form :disabled")) field.disabled = false;
  });

  const axes = ["applied", "pending", "run", "drift", "checked"];
  for (const table of document.querySelectorAll("table[data-filter]")) {
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.firstChild.textContent.trim());
    const column = heads.indexOf(value("env"));
    const matches = (cell) => {
      const signs = [...cell.querySelectorAll(".m")];
      if (!signs.length) return false;
      if (!value("level")) return true;
      return signs.some((sign, at) =>
        (!value("axis") || axes[at] === value("axis")) && sign.classList.contains(value("level")));
    };
    let count = 0;
    for (const row of table.tBodies[0].rows) {
      const text = `${row.textContent} ${row.dataset.owners || ""}`.toLowerCase();
      let shown = words.every((word) => text.includes(word));
      if (value("owner")) shown &&= (row.dataset.owners || "").split(" ").includes(value("owner"));
      if (table.classList.contains("matrix") && (column > 0 || value("level"))) {
        const cells = [...row.cells].slice(1);
        for (const cell of cells) {
          const here = (column < 1 || cell.cellIndex === column) && matches(cell);
          cell.classList.toggle("dim", !here);
        }
        shown &&= cells.some((cell) => !cell.classList.contains("dim"));
      }
      row.hidden = !shown;
      count += shown ? 1 : 0;
    }
    const output = document.querySelector("form.filters output");
    if (output && location.search.length > 1) output.textContent = `${count} of ${table.tBodies[0].rows.length}`;
  }

  const built = document.documentElement.dataset.built;
  const target = document.querySelector(".built");
  if (built && target) {
    const minutes = Math.max(0, Math.round((Date.now() - Date.parse(built)) / 60000));
    const age = minutes < 100 ? `${minutes} min` : minutes < 2880 ? `${Math.round(minutes / 60)} h`
      : `${Math.round(minutes / 1440)} days`;
    target.textContent = `, ${age} ago`;
  }
})();
