// The console's own behaviour on every page: keys, the stop dialog, the verdict, times in the reader's place.
// Foreign text never becomes markup here: it is written with textContent, or was escaped by the server.
(() => {
  "use strict";
  const body = document.body;
  const words = body.dataset;
  const language = document.documentElement.lang;
  const live = { "x-holdfast-live": "1" };
  const state = { paused: false, heard: Date.now(), lost: false };
  window.holdfast = state;

  const seconds = (ms) => Math.max(0, Math.round(ms / 1000));
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
  state.clock = clock;

  function localTimes(root) {
    for (const one of root.querySelectorAll("time[datetime]")) {
      const at = new Date(one.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const today = at.toDateString() === new Date().toDateString();
      const text = today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
      if (one.textContent !== text) one.textContent = text;
      one.title = exact.format(at);
    }
  }
  state.localTimes = localTimes;
  localTimes(document);
  document.addEventListener("htmx:after:swap", () => localTimes(document));

  // What moves can be paused; htmx asks before each of its polls.
  const pause = document.getElementById("pause");
  function setPaused(paused) {
    state.paused = paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? words.goon : words.pause;
    document.dispatchEvent(new CustomEvent("holdfast:paused"));
    tellAge();
  }
  pause.addEventListener("click", () => setPaused(!state.paused));
  document.addEventListener("htmx:before:request", (event) => {
    if (state.paused || document.hidden) event.preventDefault();
  });

  const age = document.getElementById("age");
  function tellAge() {
    if (state.paused) age.textContent = words.paused;
    else if (state.lost) age.textContent = words.lost;
    else age.textContent = `${words.updated} ${new Intl.RelativeTimeFormat(language, { style: "narrow" }).format(-seconds(Date.now() - state.heard), "second")}`;
  }
  setInterval(tellAge, 1000);

  // The verdict: in the page at most every five seconds, in the title, and as a shape.
  const icon = document.querySelector("link[rel=icon]");
  async function ask() {
    if (state.paused || document.hidden) return;
    try {
      const answer = await fetch("/console/verdict.json", { headers: live });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.json());
      state.lost = false;
      state.heard = Date.now();
    } catch {
      state.lost = true;
    }
    tellAge();
  }
  function show(verdict) {
    const line = document.getElementById("verdict");
    const text = `${verdict.sign} ${verdict.sentence}`;
    if (line.textContent !== text) {
      const sign = document.createElement("span");
      sign.setAttribute("aria-hidden", "true");
      sign.textContent = verdict.sign;
      line.replaceChildren(sign, ` ${verdict.sentence}`);
      line.className = `verdict ${verdict.shape}`;
    }
    document.title = `${verdict.sign} ${verdict.title} · ${words.label} · ${words.product}`;
    const shape = icon.dataset[verdict.shape];
    if (icon.getAttribute("href") !== shape) icon.setAttribute("href", shape);
  }
  setInterval(ask, 5000);

  // Copy buttons.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      return;
    }
    const said = button.textContent;
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = said; }, 1500);
  });

  // An undo is offered for as long as it says.
  for (const form of document.querySelectorAll("form.undo")) {
    setTimeout(() => form.remove(), Number(form.dataset.seconds) * 1000);
  }

  // The stop dialog is the stop page's form in a dialog.
  const dialog = document.getElementById("stop-dialog");
  async function openStop(href) {
    const url = new URL(href, location.href);
    url.searchParams.set("part", "dialog");
    const answer = await fetch(url, { headers: live });
    if (!answer.ok) { location.assign(href); return; }
    dialog.innerHTML = await answer.text();
    dialog.querySelector("[data-cancel]").addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
    watchStop(dialog);
    dialog.showModal();
    dialog.querySelector("input[type=radio]:checked").focus();
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="/console/stop?"]');
    if (!link || event.ctrlKey || event.metaKey || body.dataset.page === "stop") return;
    event.preventDefault();
    openStop(link.href);
  });
  function watchStop(root) {
    const form = root.querySelector("form.stop");
    if (!form) return;
    let timer = 0;
    form.addEventListener("input", (event) => {
      if (!["scope", "value"].includes(event.target.name)) return;
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const asked = new URLSearchParams({ part: "preview", scope: new FormData(form).get("scope"), value: form.elements.value.value });
        const answer = await fetch(`/console/stop?${asked}`, { headers: live });
        if (answer.ok) form.querySelector("#stop-preview").innerHTML = await answer.text();
      }, 250);
    });
  }
  watchStop(document);

  // Choosing a theme applies it at once.
  const theme = document.getElementById("theme");
  theme.addEventListener("change", () => theme.form.requestSubmit());

  // Keys.
  const keys = document.getElementById("keys");
  document.getElementById("keys-open").addEventListener("click", () => keys.showModal());
  const rail = [...document.querySelectorAll(".rail a[data-key]")];
  let going = 0;
  function move(by) {
    const rows = [...document.querySelectorAll("tr[data-href]")];
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.classList.contains("here"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    rows.forEach((row) => row.classList.toggle("here", row === next));
    next.querySelector("a").focus();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const on = event.target;
    if (on.matches("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") on.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    if (Date.now() - going < 1500) {
      const link = rail.find((one) => one.dataset.key === event.key);
      going = 0;
      if (link) { event.preventDefault(); link.click(); return; }
    }
    const number = Number(event.key);
    if (number >= 1 && number <= Math.min(9, rail.length)) { rail[number - 1].click(); return; }
    const stop = document.getElementById("stop-open");
    const acts = {
      "/": () => document.getElementById("search").focus(),
      "g": () => { going = Date.now(); },
      "j": () => move(1),
      "k": () => move(-1),
      "s": () => stop && stop.click(),
      "p": () => setPaused(!state.paused),
      "c": () => document.querySelector("main button.copy")?.click(),
      "e": () => document.querySelector("main a[data-export]")?.click(),
      "?": () => keys.showModal(),
    };
    if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, form") && getSelection().isCollapsed) location.assign(row.dataset.href);
  });
  body.dataset.ready = "1";
})();
