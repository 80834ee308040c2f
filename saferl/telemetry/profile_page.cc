// The pages that `saferl profile` writes: complete in themselves, no outside file.
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/cpu_profile.h"
#include "saferl/telemetry/memory_profile.h"

namespace saferl::telemetry {
namespace {

constexpr const char* kHead = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { --ink:#1c2430; --soft:#5b6675; --line:#d9dee5; --paper:#fff; --wash:#f5f7f9; --a:#0b62b8; --b:#c26a00; --c:#6a3fb5; --d:#1b7f4d }
@media (prefers-color-scheme: dark) { :root { --ink:#e6eaf0; --soft:#9aa6b5; --line:#333c48; --paper:#12161c;
  --wash:#1a2028; --a:#6cb6ff; --b:#ffb14d; --c:#b79bff; --d:#55c98b } }
* { box-sizing:border-box } body { margin:0; font:15px/1.5 system-ui,sans-serif; color:var(--ink); background:var(--paper) }
main { max-width:1280px; margin:0 auto; padding:20px } h1 { font-size:22px; margin:0 } h2 { font-size:17px; margin:26px 0 8px }
.soft { color:var(--soft) } .bar { display:flex; gap:8px; align-items:center; margin:12px 0; flex-wrap:wrap }
button,input { font:inherit; padding:4px 10px; border:1px solid var(--line); border-radius:6px; background:var(--paper); color:var(--ink) }
input { flex:1; min-width:180px } #hint { min-height:1.5em; font-family:ui-monospace,monospace; font-size:13px; overflow-wrap:anywhere }
svg { width:100%; display:block; background:var(--wash); border:1px solid var(--line); border-radius:8px }
.flame rect { stroke:var(--wash); stroke-width:.6; cursor:pointer } .flame text { font:11px ui-monospace,monospace; fill:#1c2430; pointer-events:none }
.plot text { font-size:11px; fill:var(--soft) } .plot .axis { stroke:var(--line) } .plot path { fill:none; stroke-width:1.8 }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums } th,td { text-align:right; padding:4px 8px; border-bottom:1px solid var(--line) }
th:last-child,td:last-child { text-align:left; font-family:ui-monospace,monospace; font-size:13px; overflow-wrap:anywhere }
.key span { display:inline-block; width:11px; height:11px; border-radius:3px; margin:0 5px 0 12px }
</style></head><body><main>
)html";

constexpr const char* kFlame = R"html(
<div class="bar"><input id="find" placeholder="search functions" aria-label="search functions"><button id="reset">Whole graph</button></div>
<div id="hint" class="soft">Width is processor time; a box lies on its caller. Click to look into one.</div>
<svg id="flame" class="flame" role="img" aria-label="flame graph"></svg>
<h2>Functions by their own time</h2><table><thead><tr><th>own</th><th>with callees</th><th>function</th></tr></thead><tbody id="top"></tbody></table>
<script>
(function () {
  'use strict';
  const data = window.profile, ns = 'http://www.w3.org/2000/svg', rowHeight = 17;
  const root = { name: 'all', value: 0, own: 0, children: new Map(), parent: null, depth: 0 };
  const own = new Map(), all = new Map();
  for (const s of data.stacks) {
    root.value += s.count;
    let node = root;
    for (const name of s.frames) {
      if (!node.children.has(name))
        node.children.set(name, { name, value: 0, own: 0, children: new Map(), parent: node, depth: node.depth + 1 });
      node = node.children.get(name);
      node.value += s.count;
    }
    node.own += s.count;
    const last = s.frames[s.frames.length - 1];
    own.set(last, (own.get(last) || 0) + s.count);
    for (const name of new Set(s.frames)) all.set(name, (all.get(name) || 0) + s.count);
  }
  const svg = document.getElementById('flame'), hint = document.getElementById('hint');
  let focus = root, search = '';
  const share = n => (100 * n / Math.max(1, root.value)).toFixed(1) + ' %';
  function hue(name) {
    let h = 0;
    for (const c of name) h = (h * 31 + c.codePointAt(0)) % 997;
    return `hsl(${20 + h % 40} 80% ${62 + h % 13}%)`;
  }
  function draw() {
    const width = svg.clientWidth || 1200, boxes = [];
    let deepest = focus.depth;
    const place = (node, x, w) => {
      if (w < 0.4) return;
      boxes.push({ node, x, w });
      deepest = Math.max(deepest, node.depth);
      let at = x;
      for (const child of [...node.children.values()].sort((p, q) => p.name < q.name ? -1 : 1)) {
        const part = w * child.value / node.value;
        place(child, at, part);
        at += part;
      }
    };
    for (let up = focus.parent; up; up = up.parent) boxes.push({ node: up, x: 0, w: width, above: true });
    if (root.value) place(focus, 0, width);
    const height = (deepest + 1) * rowHeight + 8;
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.style.height = height + 'px';
    svg.textContent = '';
    for (const b of boxes) {
      const y = height - 4 - (b.node.depth + 1) * rowHeight;
      const rect = document.createElementNS(ns, 'rect');
      const hit = search && b.node.name.toLowerCase().includes(search);
      const attributes = { x: b.x, y, width: Math.max(0.4, b.w), height: rowHeight - 1, rx: 2,
                           fill: hit ? '#d36bff' : hue(b.node.name), opacity: b.above ? 0.5 : 1 };
      for (const k in attributes) rect.setAttribute(k, attributes[k]);
      rect.onclick = () => { focus = b.node; draw(); };
      rect.onmousemove = () => { hint.textContent = `${b.node.name}: ${share(b.node.value)}, ${b.node.value} samples, own ${b.node.own}`; };
      svg.appendChild(rect);
      const fit = Math.floor((b.w - 6) / 6.7);
      if (fit > 2) {
        const text = document.createElementNS(ns, 'text');
        text.setAttribute('x', b.x + 3);
        text.setAttribute('y', y + 12);
        text.textContent = b.node.name.length > fit ? b.node.name.slice(0, fit - 1) + '…' : b.node.name;
        svg.appendChild(text);
      }
    }
  }
  const top = document.getElementById('top');
  for (const [name, n] of [...own].sort((p, q) => q[1] - p[1]).slice(0, 25)) {
    const row = top.insertRow();
    for (const cell of [share(n), share(all.get(name)), name]) row.insertCell().textContent = cell;
  }
  document.getElementById('find').oninput = e => { search = e.target.value.toLowerCase(); draw(); };
  document.getElementById('reset').onclick = () => { focus = root; draw(); };
  window.addEventListener('resize', draw);
  draw();
})();
</script></main></body></html>
)html";

constexpr const char* kMemory = R"html(
<p class="key"><span style="background:var(--a)"></span>resident<span style="background:var(--b)"></span>anonymous
<span style="background:var(--c)"></span>private and changed<span style="background:var(--d)"></span>heap in use</p>
<svg id="plot" class="plot" viewBox="0 0 1200 380" role="img" aria-label="memory over time"></svg>
<h2>Mappings by growth</h2><table><thead><tr><th>first</th><th>last</th><th>growth</th><th>mapping</th></tr></thead><tbody id="maps"></tbody></table>
<script>
(function () {
  'use strict';
  const data = window.profile, ns = 'http://www.w3.org/2000/svg', svg = document.getElementById('plot');
  const mib = b => (b / 1048576).toFixed(2) + ' MiB';
  const make = (tag, attributes, text) => {
    const e = document.createElementNS(ns, tag);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    if (text !== undefined) e.textContent = text;
    svg.appendChild(e);
  };
  const keys = [['rss', '--a'], ['anonymous', '--b'], ['private_dirty', '--c'], ['heap', '--d']];
  const samples = data.samples, t1 = Math.max(samples[samples.length - 1].t_s, 1e-3);
  const most = 1.08 * Math.max(...samples.flatMap(s => keys.map(k => s[k[0]])), 1);
  const x = t => 76 + t / t1 * 1110, y = v => 350 - v / most * 335;
  for (let i = 0; i <= 5; i++) {
    const v = most * i / 5;
    make('line', { class: 'axis', x1: 76, x2: 1186, y1: y(v), y2: y(v) });
    make('text', { x: 70, y: y(v) + 4, 'text-anchor': 'end' }, mib(v));
    make('text', { x: x(t1 * i / 5), y: 370, 'text-anchor': i === 0 ? 'start' : i === 5 ? 'end' : 'middle' }, (t1 * i / 5).toFixed(1) + ' s');
  }
  for (const [key, colour] of keys) {
    if (!samples.some(s => s[key] > 0)) continue;
    make('path', { d: samples.map((s, i) => (i ? 'L' : 'M') + x(s.t_s).toFixed(1) + ' ' + y(s[key]).toFixed(1)).join(''), style: `stroke:var(${colour})` });
  }
  for (const m of data.mappings) {
    const row = document.getElementById('maps').insertRow();
    for (const cell of [mib(m.first), mib(m.last), mib(m.last - m.first), m.name]) row.insertCell().textContent = cell;
  }
})();
</script></main></body></html>
)html";

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

/// JSON inside of <script>: nothing in it may end the element.
std::string ScriptJson(const std::string& json) {
  std::string out;
  for (char c : json) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

std::string Page(std::string_view title, std::string_view facts, const std::string& json,
                 std::string_view body) {
  return Cat(std::string_view(kHead), "<title>", EscapeHtml(title), "</title><h1>",
             EscapeHtml(title), "</h1><div class=\"soft\">", EscapeHtml(facts),
             "</div><script>window.profile = ", ScriptJson(json), ";</script>", body);
}

std::string Tenths(double x) {
  return Cat(static_cast<double>(static_cast<int64_t>(x * 10 + (x < 0 ? -0.5 : 0.5))) / 10);
}

}  // namespace

std::string ProfileHtml(const CpuProfile& profile, std::string_view title) {
  return Page(title,
              Cat(profile.samples, " samples in ", Tenths(profile.seconds), " s at ",
                  profile.rate_hz, " Hz of processor time; ", profile.dropped, " dropped"),
              ProfileJson(profile), kFlame);
}

std::string MemoryHtml(const MemoryProfile& profile, std::string_view title) {
  return Page(
      title,
      Cat("process ", profile.pid, " (", profile.name, "), ", profile.samples.size(),
          " samples in ", Tenths(profile.samples.back().t_s), " s; resident memory grows by ",
          Tenths(GrowthPerSecond(profile) * 60 / 1024), " KiB a minute"),
      MemoryJson(profile), kMemory);
}

}  // namespace saferl::telemetry
