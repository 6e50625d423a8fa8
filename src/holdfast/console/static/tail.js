// The live tail: rows that the server has made and escaped, newest on top, at most two hundred of them.
(() => {
  "use strict";
  const state = window.holdfast;
  const table = document.getElementById("rows");
  const MOST = 200;
  let source = null;
  let missed = 0;

  function add(facts) {
    const rows = table.tBodies[0];
    const made = document.createElement("template");
    made.innerHTML = facts.rows.join("");
    const fresh = [...made.content.querySelectorAll("tr")];
    const known = new Set([...rows.rows].map((row) => row.dataset.href));
    for (const row of fresh) if (!known.has(row.dataset.href)) rows.prepend(row);
    while (rows.rows.length > MOST) rows.rows[rows.rows.length - 1].remove();
    if (fresh.length) document.getElementById("empty")?.remove();
    missed += facts.missed;
    if (missed) document.getElementById("missed").textContent = `${missed} ${table.dataset.missed}`;
    state.localTimes(rows);
    state.heard = Date.now();
  }
  function open() {
    if (source || state.paused || !table.dataset.tail) return;
    source = new EventSource(table.dataset.tail);
    source.addEventListener("rows", (event) => add(JSON.parse(event.data)));
    source.addEventListener("opened", () => { state.lost = false; });
    source.addEventListener("error", () => { state.lost = true; });
  }
  function close() {
    source?.close();
    source = null;
  }
  document.addEventListener("holdfast:paused", () => (state.paused ? close() : open()));
  window.addEventListener("pagehide", close);
  open();

  const filter = document.getElementById("filter");
  let timer = 0;
  filter.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const answer = await fetch(`${filter.dataset.complete}?filter=${encodeURIComponent(filter.value)}`, { headers: { "x-holdfast-live": "1" } });
      if (!answer.ok) return;
      document.getElementById("completions").replaceChildren(...(await answer.json()).map((text) => new Option(text, text)));
    }, 150);
  });
})();
