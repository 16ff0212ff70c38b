"use strict";
// Everything here is comfort: the pages can be read and filtered without it.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const rows = [...body.rows].sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
      body.append(...(up ? rows : rows.reverse()));
    });
  });
}

const all = document.getElementById("all-code");
if (all) {
  all.hidden = false;
  all.addEventListener("click", () => {
    const open = all.textContent.startsWith("Show");
    for (const fold of document.querySelectorAll("section.code > details")) fold.open = open;
    all.textContent = open ? "Hide all code" : "Show all code";
  });
}

// A link to something inside a fold opens the fold.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = target && target.closest("details");
  if (fold && !fold.open) {
    fold.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", unfold);
unfold();

const plates = document.querySelectorAll("a[data-enlarge]");
if (plates.length && window.HTMLDialogElement) {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  for (const plate of plates) {
    plate.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      const image = document.createElement("img");
      image.src = plate.href;
      image.alt = plate.firstElementChild.alt;
      dialog.replaceChildren(image);
      dialog.showModal();
    });
  }
}
