// What pages gain by a script: times in the reader's zone, and news as it comes. Everything else works without.
"use strict";
(() => {
  const FALLBACK = 5000; // milliseconds between looks where one stream cannot be shared
  const minutes = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
  const zoned = new Intl.DateTimeFormat(undefined, minutes);
  const fine = new Intl.DateTimeFormat(undefined, { ...minutes, second: "2-digit" });

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.textContent = ("seconds" in time.dataset ? fine : zoned).format(at);
    }
  };

  const say = (word) => {
    const shown = document.getElementById("liveness");
    if (shown && shown.textContent !== word) shown.textContent = word;
    if (shown) shown.dataset.state = word === "live" ? "live" : "not";
  };

  // A page that nobody sees, or in which somebody is writing, asks later.
  let owed = "";
  const writing = () => {
    const at = document.activeElement;
    return at instanceof HTMLInputElement && at.type === "text" && at.value !== "" && at.closest("#live") !== null;
  };
  const ask = (kind) => {
    const later = document.hidden || writing();
    owed = later ? (owed === "news" ? owed : kind) : "";
    if (!later) document.body.dispatchEvent(new CustomEvent(kind));
  };
  const settle = () => { if (owed) ask(owed); };

  const hear = (message) => {
    if (message.kind === "news" || message.kind === "figures") { say("live"); ask(message.kind); }
    if (message.kind === "lost") say("not live, trying again");
    if (message.kind === "signed-out") location.assign("/sign-in");
  };

  const follow = (tell) => {
    const source = new EventSource("/events");
    for (const kind of ["news", "figures"]) source.addEventListener(kind, () => tell({ kind }));
    source.addEventListener("signed-out", () => { source.close(); tell({ kind: "signed-out" }); });
    source.addEventListener("error", () => {
      tell({ kind: "lost" });
      // A refusal closes it for good, as when the server has no more streams to give: look again by and by.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(tell), 2 * FALLBACK);
    });
  };

  const start = () => {
    localise(document);
    document.addEventListener("htmx:after:swap", () => localise(document));
    if (!document.getElementById("live")) return;
    document.addEventListener("visibilitychange", settle);
    document.addEventListener("focusout", () => setTimeout(settle));
    if (!("BroadcastChannel" in window) || !navigator.locks) {
      setInterval(() => ask("news"), FALLBACK);
      return;
    }
    // Browsers open six connections to a server at most, so all tabs share one stream: whoever holds the lock reads it aloud.
    const channel = new BroadcastChannel("glideslope");
    channel.onmessage = (event) => hear(event.data);
    navigator.locks.request("glideslope-events", () => {
      follow((message) => { channel.postMessage(message); hear(message); });
      return new Promise(() => {});
    });
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
