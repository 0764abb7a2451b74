"use strict";
(() => {
  const live = document.getElementById("live");
  const order = (one, other, numeric) => {
    if (one === "" || other === "") return one === other ? 0 : NaN;
    return numeric ? Number(one) - Number(other) : one.localeCompare(other, "en", { numeric: true });
  };
  const sort = (table, heads, place) => {
    const head = heads[place];
    const up = head.getAttribute("aria-sort") !== "ascending";
    const numeric = head.classList.contains("number");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[place].dataset.key, row]);
    rows.sort(([one], [other]) => {
      const found = order(one, other, numeric);
      if (Number.isNaN(found)) return one === "" ? 1 : -1;
      return up ? found : -found;
    });
    body.append(...rows.map(([, row]) => row));
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    live.textContent = `Sorted by ${head.textContent.trim()}, ${up ? "ascending" : "descending"}`;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      head.querySelector("button").addEventListener("click", () => sort(table, heads, place));
    });
  }
  const contents = document.querySelector("details.contents");
  if (contents && window.matchMedia("(max-width: 60rem)").matches) contents.open = false;
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  if ("IntersectionObserver" in window) {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const link = links.get(entry.target.id);
        if (!link || !entry.isIntersecting) continue;
        for (const other of links.values()) other.removeAttribute("aria-current");
        link.setAttribute("aria-current", "location");
      }
    }, { rootMargin: "-15% 0px -75% 0px" });
    document.querySelectorAll("main section[id]").forEach((section) => seen.observe(section));
  }
  window.addEventListener("beforeprint", () => { if (contents) contents.open = true; });
})();
