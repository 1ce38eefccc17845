// Keys for whoever has their hands on them: they follow links that are on the page, so nothing is reached by a key alone.
// Single characters can be turned off (WCAG 2.1.4), and none acts while somebody writes or a dialog is open.
"use strict";
(() => {
  const OFF = "glideslope-keys-off";
  const PATIENCE = 1500; // milliseconds for the second of two keys

  const off = () => { try { return localStorage.getItem(OFF) === "1"; } catch { return false; } };
  const turn = (on) => { try { localStorage.setItem(OFF, on ? "0" : "1"); } catch { /* then they stay as they are */ } };

  // Each link of the bar is reached by `g` and the first letter of its name that no link before it has.
  const places = () => {
    const found = new Map();
    for (const link of document.querySelectorAll(".top nav a")) {
      const letter = [...link.textContent.toLowerCase()].find((c) => c >= "a" && c <= "z" && !found.has(c));
      if (letter) found.set(letter, link);
    }
    return found;
  };

  const say = (text) => {
    const said = document.getElementById("said");
    if (said) said.textContent = text;
  };

  const rows = () => [...document.querySelectorAll("main :is(table.dense tbody tr, ul.found li, ul.asks li, ol.tour > li, ol.timeline > li)")]
    .map((row) => row.querySelector("a[href]")).filter((link) => link && link.checkVisibility());

  // Focus moves for real, so Enter opens and a screen reader reads the row out.
  const step = (by) => {
    const links = rows();
    if (!links.length) return;
    const here = document.activeElement?.closest("tr, li")?.querySelector("a[href]");
    const at = links.indexOf(here);
    const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  // `y`: the address that will show the same later, where the page has one.
  const copy = async () => {
    const link = document.querySelector("a.deep");
    const address = new URL(link ? link.href : location.href, location.href).href;
    try {
      await navigator.clipboard.writeText(address);
      say(`Copied: ${address}`);
    } catch {
      if (link) link.focus();
      say(`Not copied; the address is ${address}`);
    }
  };

  const show = () => {
    const dialog = document.getElementById("keys");
    if (!dialog || dialog.open) return;
    const list = dialog.querySelector("[data-places]");
    list.replaceChildren(...[...places()].map(([letter, link]) => {
      const row = document.createElement("div"), key = document.createElement("dt"), name = document.createElement("dd");
      key.innerHTML = "<kbd>g</kbd> <kbd></kbd>";
      key.lastChild.textContent = letter;
      name.textContent = link.textContent.trim();
      row.append(key, name);
      return row;
    }));
    dialog.querySelector("input").checked = !off();
    dialog.showModal();
  };

  const ACTS = {
    "/": () => document.querySelector(".find input")?.focus(),
    j: () => step(1),
    k: () => step(-1),
    y: copy,
    "?": show,
  };

  let since = -Infinity;
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented || off()) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]")) return;
    const second = event.timeStamp - since < PATIENCE;
    since = -Infinity;
    if (second && places().has(event.key)) {
      event.preventDefault();
      places().get(event.key).click();
    } else if (event.key === "g") {
      since = event.timeStamp;
    } else if (Object.hasOwn(ACTS, event.key)) {
      event.preventDefault();
      ACTS[event.key]();
    }
  };

  // What is suggested under the search: arrows go through it, Escape leaves it.
  const suggest = (event) => {
    const find = event.target instanceof Element && event.target.closest(".find");
    if (!find) return;
    const all = [find.querySelector("input"), ...find.querySelectorAll("#suggested a")];
    const at = all.indexOf(document.activeElement);
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && all.length > 1) {
      event.preventDefault();
      all[(at + (event.key === "ArrowDown" ? 1 : all.length - 1)) % all.length].focus();
    } else if (event.key === "Escape") {
      find.querySelector("#suggested").replaceChildren();
      all[0].focus();
    }
  };

  const start = () => {
    document.addEventListener("keydown", press);
    document.addEventListener("keydown", suggest);
    document.addEventListener("focusout", (event) => {
      const find = event.target.closest?.(".find");
      if (find && event.relatedTarget && !find.contains(event.relatedTarget)) find.querySelector("#suggested").replaceChildren();
    });
    const button = document.getElementById("show-keys");
    if (button) { button.hidden = false; button.addEventListener("click", show); }
    document.querySelector("#keys input")?.addEventListener("change", (event) => turn(event.target.checked));
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
