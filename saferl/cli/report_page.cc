#include "saferl/cli/report_page.h"

namespace saferl::cli {

const char* const kReportHead = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>saferl report</title>
<style>
:root { --ink:#1c2430; --soft:#5b6675; --line:#d9dee5; --paper:#fff; --wash:#f5f7f9; --good:#1b7f4d; --bad:#b3261e;
  --person:#c26a00; --policy:#6a3fb5; --sent:#0b62b8; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6eaf0; --soft:#9aa6b5; --line:#333c48; --paper:#12161c;
  --wash:#1a2028; --good:#55c98b; --bad:#ff8a80; --person:#ffb14d; --policy:#b79bff; --sent:#6cb6ff; } }
* { box-sizing:border-box }
body { margin:0; font:15px/1.5 system-ui,sans-serif; color:var(--ink); background:var(--paper) }
main { max-width:1080px; margin:0 auto; padding:24px 20px 60px }
h1 { font-size:26px; margin:0 0 4px } h2 { font-size:18px; margin:34px 0 8px } p { max-width:75ch; margin:6px 0 }
.soft { color:var(--soft) } .scroll { overflow-x:auto }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums }
th,td { padding:5px 9px; text-align:right; border-bottom:1px solid var(--line); white-space:nowrap }
th:first-child,td:first-child { text-align:left } thead th { font-weight:600; vertical-align:bottom }
th.group { text-align:center; border-left:1px solid var(--line) } td.first { border-left:1px solid var(--line) }
.good { color:var(--good); font-weight:600 } .bad { color:var(--bad); font-weight:600 }
.plots { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr)); gap:18px }
figure { margin:0; background:var(--wash); border:1px solid var(--line); border-radius:8px; padding:10px }
figcaption { font-size:13px; color:var(--soft); margin-top:4px }
svg text { fill:var(--soft); font-size:11px } svg .axis { stroke:var(--line) } svg path { fill:none; stroke-width:1.8 }
canvas { width:100%; display:block; border-radius:6px }
.player { display:grid; grid-template-columns:minmax(0,2fr) minmax(230px,1fr); gap:16px }
@media (max-width:760px) { .player { grid-template-columns:1fr } }
.controls { display:flex; gap:8px; align-items:center; margin:8px 0; flex-wrap:wrap }
button,select { font:inherit; padding:4px 12px; border:1px solid var(--line); border-radius:6px; background:var(--paper);
  color:var(--ink) } input[type=range] { flex:1; min-width:140px }
dl { display:grid; grid-template-columns:auto 1fr; gap:3px 12px; margin:0; align-content:start; font-variant-numeric:tabular-nums }
dt { color:var(--soft) } dd { margin:0; text-align:right }
.key { max-width:none } .key span { display:inline-block; width:11px; height:11px; border-radius:3px; margin:0 5px 0 12px; vertical-align:-1px }
</style></head><body><main>
)html";

const char* const kReportPlayer = R"html(<script>
(function () {
  'use strict';
  const data = window.report, css = getComputedStyle(document.documentElement);
  const colour = name => css.getPropertyValue('--' + name).trim();
  const svgNs = 'http://www.w3.org/2000/svg';
  function make(tag, attributes, parent) {
    const e = document.createElementNS(svgNs, tag);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    parent.appendChild(e);
    return e;
  }
  // A line plot: series = [{name, colour, x: [], y: []}], optional level lines and a moving cursor.
  function plot(host, title, unit, xUnit, series, levels) {
    const w = 480, h = 190, left = 40, right = 14, top = 10, bottom = 24;
    const figure = document.createElement('figure');
    host.appendChild(figure);
    const svg = make('svg', { viewBox: `0 0 ${w} ${h}`, width: '100%', role: 'img', 'aria-label': title }, figure);
    const xs = series.flatMap(s => s.x), ys = series.flatMap(s => s.y).concat((levels || []).map(l => l.y));
    const finite = ys.filter(Number.isFinite);
    if (!finite.length) return null;
    let x0 = Math.min(...xs), x1 = Math.max(...xs), y0 = Math.min(...finite, 0), y1 = Math.max(...finite);
    if (x1 <= x0) x1 = x0 + 1;
    if (y1 <= y0) y1 = y0 + 1;
    const yTicks = ticks(y0, y1, 4), xTicks = ticks(x0, x1, 5).filter(x => x >= x0 && x <= x1);
    y0 = yTicks[0];
    y1 = yTicks[yTicks.length - 1];
    const px = x => left + (x - x0) / (x1 - x0) * (w - left - right);
    const py = y => h - bottom - (y - y0) / (y1 - y0) * (h - top - bottom);
    for (const y of yTicks) {
      make('line', { class: 'axis', x1: left, x2: w - right, y1: py(y), y2: py(y) }, svg);
      make('text', { x: left - 5, y: py(y) + 4, 'text-anchor': 'end' }, svg).textContent = short(y);
    }
    for (const x of xTicks)
      make('text', { x: px(x), y: h - 7, 'text-anchor': 'middle' }, svg).textContent = short(x) + ' ' + xUnit;
    for (const level of levels || [])
      make('line', { x1: left, x2: w - right, y1: py(level.y), y2: py(level.y), stroke: colour(level.colour),
                     'stroke-dasharray': '4 3' }, svg);
    for (const s of series) {
      let d = '';
      s.x.forEach((x, i) => {
        if (!Number.isFinite(s.y[i])) return;
        d += (d ? 'L' : 'M') + px(x).toFixed(1) + ' ' + py(s.y[i]).toFixed(1);
      });
      make('path', { d, stroke: colour(s.colour) }, svg);
    }
    const cursor = make('line', { y1: top, y2: h - bottom, stroke: colour('soft'), visibility: 'hidden' }, svg);
    const caption = document.createElement('figcaption');
    caption.textContent = title + (unit ? ' [' + unit + ']' : '');
    figure.appendChild(caption);
    return x => {
      cursor.setAttribute('visibility', 'visible');
      cursor.setAttribute('x1', px(x));
      cursor.setAttribute('x2', px(x));
    };
  }
  // Round numbers that hold [low, high], about n steps of 1, 2 or 5 times a power of ten.
  function ticks(low, high, n) {
    const raw = (high - low) / n, power = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = power * [1, 2, 5, 10].find(m => m * power >= raw);
    const list = [];
    for (let k = Math.floor(low / step + 1e-9); k * step < high + step - 1e-9 * step; k++) list.push(k * step);
    return list;
  }
  function short(v) {
    const a = Math.abs(v);
    if (a >= 1e6) return +(v / 1e6).toFixed(1) + 'M';
    if (a >= 1e4) return +(v / 1e3).toFixed(0) + 'k';
    return String(+v.toFixed(a >= 100 ? 0 : a >= 1 ? 1 : 2));
  }

  const training = document.getElementById('training');
  if (data.training.length) {
    const x = data.training.map(p => p.steps);
    plot(training, 'return per episode', '', '', [{ colour: 'sent', x, y: data.training.map(p => p.ret) }]);
    plot(training, 'goals reached while exploring', 'share', '', [{ colour: 'good', x, y: data.training.map(p => p.success) }]);
    data.cost_names.forEach((name, k) =>
      plot(training, 'cost per episode: ' + name + ' (dashed: its limit)', '', '',
           [{ colour: 'person', x, y: data.training.map(p => p.cost[k]) }],
           [{ y: data.cost_limits[k], colour: 'bad' }]));
  }

  const canvas = document.getElementById('view'), g = canvas.getContext('2d');
  const choose = document.getElementById('choose'), play = document.getElementById('play');
  const time = document.getElementById('time'), facts = document.getElementById('facts');
  let trace = null, at = 0, playing = true, last = 0, cursors = [], filtered = false;
  data.traces.forEach((t, i) => choose.add(new Option(t.title, i)));

  function select(i) {
    trace = data.traces[i];
    at = 0;
    time.max = trace.t.length - 1;
    const host = document.getElementById('signals');
    host.textContent = '';
    const x = trace.t, at2 = (list, k) => list.map(u => u[k]);
    const three = k => [{ colour: 'person', x, y: at2(trace.person, k) }, { colour: 'sent', x, y: at2(trace.sent, k) }];
    // A drive without the filter has neither a margin nor a policy.
    filtered = trace.margin.some(Boolean);
    cursors = [
      plot(host, "speed: the person's wish (orange), what was sent (blue)", 'm/s', 's', three(0)),
      plot(host, "turn rate: the person's wish (orange), what was sent (blue)", 'rad/s', 's', three(1)),
      filtered && plot(host, 'margin of the proof to people, at most half a metre (dashed: the limit)', 'm', 's',
                       [{ colour: 'good', x, y: trace.margin }], [{ y: 0, colour: 'bad' }]),
      trace.authority.some(Boolean) &&
        plot(host, "policy's share of the command", '0 to 1', 's', [{ colour: 'policy', x, y: trace.authority }]),
    ].filter(Boolean);
    draw();
  }
  function draw() {
    const k = Math.min(Math.floor(at), trace.t.length - 1), s = trace.scene;
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
    const scale = width / (s.x1 - s.x0 + 0.6), height = scale * (s.y1 - s.y0 + 0.6);
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = height + 'px';
    g.setTransform(ratio * scale, 0, 0, -ratio * scale, ratio * scale * (0.3 - s.x0), ratio * scale * (0.3 + s.y1));
    g.fillStyle = colour('wash');
    g.fillRect(s.x0 - 0.3, s.y0 - 0.3, s.x1 - s.x0 + 0.6, s.y1 - s.y0 + 0.6);
    for (const b of s.boxes) {
      g.save();
      g.translate(b[0], b[1]);
      g.rotate(b[2]);
      g.fillStyle = b[5] === 0 ? colour('soft') : colour('line');
      g.fillRect(-b[3], -b[4], 2 * b[3], 2 * b[4]);
      g.restore();
    }
    s.goals.forEach((p, i) => disc(p[0], p[1], s.goal_radius, i === s.true_goal ? colour('good') : colour('soft'), false));
    g.lineWidth = 0.03;
    g.strokeStyle = colour('sent');
    g.beginPath();
    for (let i = 0; i <= k; i++) g.lineTo(trace.q[i][0], trace.q[i][1]);
    g.stroke();
    for (const p of trace.people[k]) disc(p[0], p[1], 0.25, colour('person'), true);
    const [x, y, yaw] = trace.q[k], f = data.footprint;
    g.save();
    g.translate(x, y);
    g.rotate(yaw);
    g.fillStyle = trace.mode[k] === 'nominal' ? colour('sent') : colour('bad');
    g.fillRect(f[0], -f[2], f[1] - f[0], 2 * f[2]);
    arrow(trace.person[k], colour('person'), 0.06);
    arrow(trace.sent[k], colour('paper'), 0.035);
    g.restore();
    const rows = { time: trace.t[k].toFixed(1) + ' s', 'speed sent': trace.sent[k][0].toFixed(2) + ' m/s',
                   'turn sent': trace.sent[k][1].toFixed(2) + ' rad/s' };
    if (filtered) {
      rows.mode = trace.mode[k];
      rows.reason = trace.reason[k];
      rows['proof margin'] = trace.margin[k] === null ? 'nobody near' : trace.margin[k].toFixed(2) + ' m';
      rows["policy's share"] = Math.round(100 * trace.authority[k]) + ' %';
    }
    rows.outcome = trace.outcome;
    facts.textContent = '';
    for (const name in rows) {
      facts.appendChild(document.createElement('dt')).textContent = name;
      facts.appendChild(document.createElement('dd')).textContent = rows[name];
    }
    time.value = k;
    cursors.forEach(c => c(trace.t[k]));
  }
  function disc(x, y, r, c, filled) {
    g.beginPath();
    g.arc(x, y, r, 0, 7);
    g.fillStyle = g.strokeStyle = c;
    g.lineWidth = 0.04;
    filled ? g.fill() : g.stroke();
  }
  function arrow(u, c, w) {
    g.beginPath();
    g.moveTo(0.15, 0);
    const length = 0.9 * u[0];
    g.quadraticCurveTo(0.15 + length / 2, 0, 0.15 + length, 0.5 * u[1] * Math.abs(length) + 0.25 * u[1]);
    g.strokeStyle = c;
    g.lineWidth = w;
    g.stroke();
  }
  play.onclick = () => { playing = !playing; play.textContent = playing ? 'Pause' : 'Play'; };
  choose.onchange = () => select(+choose.value);
  time.oninput = () => { at = +time.value; playing = false; play.textContent = 'Play'; draw(); };
  function step(now) {
    if (playing && trace) {
      at += Math.min(0.2, (now - last) / 1000) * 20;  // twice real time: 10 frames a second
      if (at >= trace.t.length + 10) at = 0;
      draw();
    }
    last = now;
    requestAnimationFrame(step);
  }
  if (data.traces.length) { select(0); requestAnimationFrame(step); }
})();
</script>
</main></body></html>
)html";

}  // namespace saferl::cli
