// The charts of Now: three of them with one cursor, drawn anew every two seconds, and the same figures as a table.
(() => {
  "use strict";
  const root = document.getElementById("charts");
  const state = window.holdfast;
  const words = root.dataset;
  const outcomes = JSON.parse(words.outcomes);
  const NAMES = Object.keys(outcomes);
  const charts = {};
  let drawn = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = () => ({ stroke: colour("soft"), grid: { stroke: colour("track"), width: 1 }, ticks: { stroke: colour("track"), width: 1 } });
  const timeAxis = () => ({ ...axis(), values: (_, at) => at.map((one) => state.clock.format(new Date(one * 1000)).slice(0, -3)) });
  const line = (label, name, dash) => ({ label, stroke: colour(name), width: 2, dash, points: { show: false }, value: (_, v) => (v == null ? "–" : String(v)) });
  const when = { label: words.time, value: (_, v) => (v == null ? "–" : state.clock.format(new Date(v * 1000))) };

  function options(place, series) {
    return {
      width: Math.max(200, place.clientWidth), height: 180, cursor: { sync: { key: "now" }, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [timeAxis(), { ...axis(), size: 56 }], series: [when, ...series],
    };
  }
  function dataOf(facts) {
    return {
      calls: [facts.at, ...NAMES.map((name) => facts.calls[name])],
      latency: [facts.at, facts.p50, facts.p95],
      cost: [facts.at, facts.cost],
    };
  }
  function seriesOf() {
    return {
      calls: NAMES.map((name, place) => line(outcomes[name], name, place % 2 ? [6, 3] : undefined)),
      latency: [line(words.half, "cached"), line(words.most, "failed", [6, 3])],
      cost: [line(words.cost, "fallback")],
    };
  }
  function draw(facts) {
    const data = dataOf(facts);
    for (const place of root.querySelectorAll("[data-chart]")) {
      const name = place.dataset.chart;
      if (charts[name]) charts[name].setData(data[name]);
      else charts[name] = new uPlot(options(place, seriesOf()[name]), data[name], place);
    }
    drawn = facts;
    table();
  }
  function table() {
    const rows = document.querySelector("#chart-table tbody");
    if (!drawn || !rows.closest("details").open) return;
    const last = drawn.at.length - 1;
    const shown = [];
    for (let place = last; place > Math.max(-1, last - 30); place -= 1) {
      const cells = [state.clock.format(new Date(drawn.at[place] * 1000)), ...NAMES.map((name) => drawn.calls[name][place]),
        drawn.p50[place] ?? "–", drawn.p95[place] ?? "–", drawn.cost[place]];
      const row = document.createElement("tr");
      for (const cell of cells) {
        const one = document.createElement("td");
        one.className = "num";
        one.textContent = String(cell);
        row.append(one);
      }
      shown.push(row);
    }
    rows.replaceChildren(...shown);
  }
  async function ask() {
    if ((state.paused || document.hidden) && drawn) return;
    try {
      const answer = await fetch(words.src, { headers: { "x-holdfast-live": "1" } });
      if (answer.ok) draw(await answer.json());
    } catch { /* the verdict says that the connection is lost */ }
  }
  root.querySelector("details").addEventListener("toggle", table);
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(root.clientWidth - width) < 4) return;
    width = root.clientWidth;
    for (const place of root.querySelectorAll("[data-chart]")) {
      charts[place.dataset.chart]?.setSize({ width: Math.max(200, place.clientWidth), height: 180 });
    }
  }).observe(root);
  ask();
  setInterval(ask, 2000);
})();
