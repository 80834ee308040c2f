#include "saferl/net/docs_page.h"

namespace saferl::net {
namespace {

constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<style>
:root { --ink: #1c2430; --soft: #5b6675; --line: #dde2e8; --ground: #f7f8fa; --card: #fff; --accent: #1259a8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #2c3643; --ground: #12161c; --card: #1a2029; --accent: #7db4f0; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; text-transform: capitalize; }
p, small { color: var(--soft); margin: .2rem 0; }
a { color: var(--accent); }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .4rem .6rem; width: 100%; margin-top: 1rem; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 6px; margin: .35rem 0; }
summary { display: flex; gap: .75rem; align-items: baseline; padding: .5rem .75rem; cursor: pointer; flex-wrap: wrap; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible, input:focus-visible { outline: 2px solid var(--accent); }
.method { font: 600 .75rem ui-monospace, monospace; width: 4.2rem; text-align: center; border-radius: 4px; padding: .15rem 0; color: #fff; background: #5b6675; }
.get { background: #14713c; } .post { background: #1259a8; } .put, .patch { background: #8a5a00; } .delete { background: #a3252b; } .stream { background: #6b3fa0; }
code, pre { font-family: ui-monospace, monospace; font-size: .85rem; }
.path { font-weight: 600; overflow-wrap: anywhere; }
.inside { padding: .25rem .75rem .75rem; border-top: 1px solid var(--line); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--ground); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; overflow: auto; margin: .3rem 0; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0; }
td, th { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
h3 { font-size: .85rem; margin: .9rem 0 .2rem; color: var(--soft); }
</style>
</head>
<body>
<main>
<h1 id="title">API</h1>
<p id="about">Reading <a href="openapi.json">openapi.json</a> …</p>
<input id="filter" type="search" placeholder="Filter by path, method or words" aria-label="Filter" hidden>
<div id="list"></div>
</main>
<script>
"use strict";
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const table = (head, rows) => make("table", {}, make("tr", {}, ...head.map((h) => make("th", {}, h))),
  ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)))));
const pretty = (value) => make("pre", {}, JSON.stringify(value, null, 2));
const schemaOf = (content) => Object.entries(content || {})
  .map(([type, body]) => [make("h3", {}, type), pretty(body.schema)]).flat();

function example(path, method, operation) {
  const url = location.origin + path;
  if (operation["x-websocket"]) return `websocat ${url.replace(/^http/, "ws")}`;
  const type = operation.requestBody && Object.keys(operation.requestBody.content)[0];
  const body = type ? ` -H 'Content-Type: ${type}' --data-binary @body` : "";
  return `curl${method === "get" ? "" : " -X " + method.toUpperCase()} '${url}'${body}`;
}

function card(path, method, operation) {
  const answers = Object.entries(operation.responses);
  const stream = operation["x-websocket"] ? "ws" :
    answers.some(([, r]) => r.content && r.content["text/event-stream"]) ? "events" : "";
  const inside = make("div", { class: "inside" }, make("pre", {}, example(path, method, operation)));
  if (operation.parameters.length) {
    inside.append(make("h3", {}, "Parameters"), table(["name", "in", "type", "meaning"],
      operation.parameters.map((p) => [make("code", {}, p.name + (p.required ? "" : "?")), p.in,
        p.schema.type, p.description || ""])));
  }
  if (operation.requestBody) {
    inside.append(make("h3", {}, "Body, " + operation.requestBody.description), ...schemaOf(operation.requestBody.content));
  }
  inside.append(make("h3", {}, "Answers"), table(["status", "meaning", "headers"],
    answers.map(([status, r]) => [make("code", {}, status), r.description, Object.keys(r.headers || {}).join(", ")])));
  for (const [status, r] of answers) if (status < 300) inside.append(...schemaOf(r.content));
  const node = make("details", { id: operation.operationId },
    make("summary", {}, make("span", { class: "method " + (stream ? "stream" : method) }, stream || method.toUpperCase()),
      make("code", { class: "path" }, path), make("small", {}, operation.summary)), inside);
  node.words = `${path} ${method} ${stream} ${operation.summary} ${operation.operationId}`.toLowerCase();
  return node;
}

async function show() {
  const api = await (await fetch("openapi.json")).json();
  document.title = document.getElementById("title").textContent = api.info.title;
  const groups = new Map();
  let count = 0;
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(card(path, method, operation));
      ++count;
    }
  }
  document.getElementById("about").replaceChildren(`Version ${api.info.version}, ${count} operations. The document itself: `,
    make("a", { href: "openapi.json" }, "openapi.json"), ".");
  const list = document.getElementById("list");
  for (const [tag, cards] of groups) list.append(make("section", {}, make("h2", {}, tag), ...cards));
  const filter = document.getElementById("filter");
  filter.hidden = false;
  filter.addEventListener("input", () => {
    for (const section of list.children) {
      let any = false;
      for (const node of section.querySelectorAll("details")) {
        node.hidden = !filter.value.toLowerCase().split(/\s+/).every((word) => node.words.includes(word));
        any = any || !node.hidden;
      }
      section.hidden = !any;
    }
  });
  if (location.hash) {
    const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (wanted) { wanted.open = true; wanted.scrollIntoView(); }
  }
}
show().catch((error) => { document.getElementById("about").textContent = "openapi.json cannot be read: " + error; });
</script>
</body>
</html>
)html";

}  // namespace

std::string_view DocsPage() { return kPage; }

}  // namespace saferl::net
